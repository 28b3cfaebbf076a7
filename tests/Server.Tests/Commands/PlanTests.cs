using System.Text.Json;
using System.Xml.Linq;
using Serving.Devices;
using Serving.Model;
using Serving.Server.Commands;

namespace Serving.Tests;

public sealed class PlanTests
{
    static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    static CachePlan Plan(string fixture, CachePlanOptions options)
    {
        using var checkpoint = Checkpoint.Open(ModelFixtures.PathOf(fixture));
        return CachePlan.Of(checkpoint, options);
    }

    [Fact]
    public void The_figures_of_a_plan_are_those_of_pages()
    {
        // Three layers of latent 24 and rotary 8; a page of 16 tokens is 768 + 256 bytes in bfloat16.
        var plan = Plan("schemes/mla", new(1 << 20, CacheType.BFloat16, Context: 100, PageTokens: 16));
        Assert.Equal((3, 5, 14), (plan.Layers, plan.Heads.Heads, plan.Heads.Width));
        Assert.Equal(
            new("MLA", "as it is", 96, 192, 64, (1L << 30) * 100 / (7 * 3 * 1024), (1 << 20) / (7 * 3 * 1024)), plan.Own);
        Assert.Equal("MLA: 32 elements, 64 bytes, layers 0, 1, 2", Assert.Single(plan.Kinds) is var kind ? $"{kind.Scheme}: {kind.Elements} elements, {kind.Bytes} bytes, layers {string.Join(", ", kind.Layers)}" : "");
        Assert.Equal(Enum.GetValues<CacheType>().Length, plan.Types.Length);
        Assert.Equal([384L, 192, 3 * (24 + 2 + 16), 3 * (24 + 2 + 16), 3 * (12 + 2 + 16)], plan.Types.Select(type => type.BytesPerToken));
        Assert.Equal(5 * 14 * 2 * 2 * 3, plan.Schemes.Single(scheme => scheme.Name == "MHA").BytesPerToken);
    }

    [Fact]
    public void Layers_that_borrow_are_told_from_those_that_own()
    {
        var plan = Plan("schemes/clla_int4", new(1 << 20));
        Assert.Equal([("0, 2", 32, 12 + 4 + 16L), ("1", 0, 0)], plan.Kinds.Select(kind => (LayerRanges.Of(kind.Layers), kind.Elements, kind.Bytes)));
        Assert.Contains("latent 24 as int4, groups of 12, rotary 8 as bfloat16", plan.Kinds[0].Streams);
        Assert.Contains("of an earlier layer", plan.Kinds[1].Streams);
    }

    [Fact]
    public void A_context_beyond_the_model_is_refused_with_the_limit() =>
        Assert.Contains("1 to 256", Assert.Throws<ArgumentException>(() => Plan("schemes/mla", new(1 << 20, Context: 257))).Message);

    [Fact]
    public void A_page_that_cuts_rows_of_several_tokens_is_refused_as_it_is_when_serving() =>
        Assert.Contains("a multiple, such as 8", Assert.Throws<ArgumentException>(() => Plan("schemes/mtla", new(1 << 20, PageTokens: 7))).Message);

    [Fact]
    public void Every_scheme_has_every_type()
    {
        var plan = Plan("schemes/mtla", new(1 << 20, Context: 64));
        Assert.Equal(plan.Schemes.Length + 1, plan.SchemesByType.Length);
        foreach (var scheme in plan.Schemes.Append(plan.Own with { Name = "this model" }))
            Assert.Equal(scheme.BytesPerToken, plan.SchemesByType.Single(other => other.Name == scheme.Name).Types[(int)CacheType.BFloat16].BytesPerToken);
        // Two tokens share 56 values of a latent and 7 of a rotary key, in three layers.
        Assert.Equal((56 + 7) * 2 * 3 / 2, plan.Schemes.Single(scheme => scheme.Name == "MTLA").BytesPerToken);
    }

    [Fact]
    public void Text_data_and_picture_show_every_figure()
    {
        var plan = Plan("schemes/mla", new(1 << 20, Context: 64));
        var text = PlanText.Of(plan);
        using var data = JsonDocument.Parse(JsonSerializer.Serialize(plan, PlanJson.Default.CachePlan));
        var (own, schemes) = (data.RootElement.GetProperty("own"), data.RootElement.GetProperty("schemes").EnumerateArray().ToArray());
        Assert.Equal(192, own.GetProperty("bytes_per_token").GetInt64());
        Assert.Equal("BFloat16", data.RootElement.GetProperty("options").GetProperty("type").GetString());
        Assert.All(schemes, scheme => Assert.Matches($@"\n  {scheme.GetProperty("name").GetString()} .* {scheme.GetProperty("bytes_per_token").GetInt64():N0} ", text));
        var bars = XDocument.Parse(PlanPicture.Of(plan)).Descendants(Svg + "path").Where(path => path.Elements(Svg + "title").Any()).ToArray();
        Assert.Equal(schemes.Length + 1 + Enum.GetValues<CacheType>().Length, bars.Length);
    }

    [Fact]
    public void A_window_holds_fewer_pages_than_a_context()
    {
        var plan = Plan("hf/mistral_window", new(1 << 20, Context: 200, PageTokens: 4));
        var layers = Assert.Single(plan.Kinds);
        Assert.StartsWith("window", layers.Rows);
        Assert.True(plan.Own.TokensPerGibibyte >= (1L << 30) / plan.Own.BytesPerToken, $"{plan.Own}");
    }
}
