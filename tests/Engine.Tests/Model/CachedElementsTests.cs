using Serving.Model;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>What a token leaves in the cache of each layer, against the schemes' own arithmetic.</summary>
public sealed class CachedElementsTests
{
    [Theory]
    [InlineData("care_joint", 32, 32, 32)]
    [InlineData("gta", 42, 42, 42)]
    [InlineData("mfa_step3", 32, 32, 32)]
    [InlineData("mla", 32, 32, 32)]
    [InlineData("mlra_gta", 30, 30, 30)]
    [InlineData("mlra_mfa", 28, 28, 28)]
    [InlineData("mlra_mla", 38, 38, 38)]
    public void A_token_leaves_as_many_elements_as_the_scheme_says(string fixture, params int[] elements)
    {
        using var checkpoint = Checkpoint.OpenFolder(Fixtures.Path($"schemes/{fixture}"));
        var plan = ModelTypes.Plan(new(checkpoint.Config, checkpoint.OpenLedger()));
        Assert.Equal(elements, plan.Attentions.Select(attention => attention.ElementsPerToken));
    }
}
