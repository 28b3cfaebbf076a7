using System.Text.Json;
using Serving.Text.Templates;

namespace Serving.Tests;

/// <summary>Every template renders every conversation as the reference does.</summary>
public sealed class TemplateTests
{
    public static TheoryData<string> Templates => [.. TemplateFixture.Names];

    [Fact]
    public void All_templates_are_there() => Assert.Equal(35, TemplateFixture.Names.Count());

    [Theory, MemberData(nameof(Templates))]
    public void A_template_renders_as_the_reference_does(string name)
    {
        var source = TemplateFixture.Source(name);
        List<string> wrong = [];
        foreach (var @case in TemplateFixture.Json(name).GetProperty("cases").EnumerateArray())
            if (Difference(@case, () => ChatTemplate.Parse(source).Render(TemplateFixture.Input(@case)).Text) is { } difference)
                wrong.Add($"{@case.GetProperty("conversation")} {@case.GetProperty("kwargs")}: {difference}");
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    [Fact]
    public void The_language_is_the_reference_s()
    {
        List<string> wrong = [];
        foreach (var @case in TemplateFixture.Json("language").GetProperty("cases").EnumerateArray())
        {
            var source = @case.GetProperty("template").GetString()!;
            var variables = @case.GetProperty("vars").EnumerateObject().ToDictionary(member => member.Name, member => member.Value);
            if (Difference(@case, () => ChatTemplate.Parse(source).Render(variables, TemplateFixture.Clock)) is { } difference)
                wrong.Add($"{source}: {difference}");
        }
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    static string? Difference(JsonElement @case, Func<string> render)
    {
        var wanted = @case.TryGetProperty("text", out var text) ? text.GetString() : null;
        try
        {
            var rendered = render();
            if (wanted is null) return $"an error was expected ({@case.GetProperty("error")}), not {rendered}";
            return rendered == wanted ? null : $"\nwanted {JsonSerializer.Serialize(wanted)}\ngot    {JsonSerializer.Serialize(rendered)}";
        }
        catch (TemplateException failure)
        {
            if (wanted is not null) return $"{failure.Message}, wanted {wanted}";
            var error = @case.GetProperty("error");
            var raised = error.GetProperty("type").GetString() == "TemplateError";
            return raised == (failure.Fault == TemplateFault.Raised) && (!raised || failure.Message == error.GetProperty("message").GetString())
                ? null : $"{failure.Fault} {failure.Message}, wanted {error}";
        }
    }
}
