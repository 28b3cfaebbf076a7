using System.Globalization;
using System.Text;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>docs/schemes.md says what each attention scheme caches and can do, every cell as a test finds it; <c>tests/run --docs</c> writes it anew.</summary>
public sealed class SchemesPageTests
{
    static readonly CacheType[] Types = Enum.GetValues<CacheType>();

    static string Page { get; } = Fixtures.InRepository("docs/schemes.md");

    [Fact]
    public void The_page_of_schemes_says_what_trials_find()
    {
        var page = Text();
        if (Environment.GetEnvironmentVariable("SERVING_WRITE_DOCS") == "true") File.WriteAllText(Page, page);
        Assert.True(
            File.Exists(Page) && File.ReadAllText(Page) == page,
            "docs/schemes.md is not what trials find any more; tests/run --docs writes it.");
    }

    static string Text()
    {
        var page = new StringBuilder("""
            # Attention schemes

            Written by `tests/run --docs`: every cell is what a test run finds on a tiny checkpoint under `tests/fixtures`, through the paged engine on
            the CPU device. *Elements* are the values that a token leaves in each layer's cache, *bytes* what they take in all layers in a cache of that
            type, scales included, and *state* the bytes that a sequence keeps beside its rows, whatever its length. A feature is there when four
            requests say to the last bit what each says alone, in every type of cache: with prompts in steps of five tokens (*chunked*), when they
            find pages of an earlier prompt (*prefix*), four at a time (*batch*), and when they lose their pages and come back (*preempt*). A type
            is there when all of that holds in it. That the answers are right is shown by the golden logits beside each checkpoint, which
            [models.md](models.md) is about.


            """);
        page.Append($"| scheme | fixture | elements | {string.Join(" | ", Types.Select(type => $"{Name(type)} bytes"))} | state | chunked | prefix | batch | preempt | {string.Join(" | ", Types.Select(Name))} |\n");
        page.Append('|').Append(string.Concat(Enumerable.Repeat("---|", 8 + 2 * Types.Length))).Append('\n');
        foreach (var (scheme, fixture) in Shown()) page.Append(Row(scheme, fixture));
        return page.ToString();
    }

    static string Row(string scheme, string fixture)
    {
        var layouts = Types.Select(type => Layout(fixture, type)).ToArray();
        var trials = Types.Select(type => Trial(fixture, type)).ToArray();
        string Feature(Func<SchemeTrial, bool> found) => Cell(trials.All(found));
        string[] cells =
        [
            scheme, $"`{fixture}`", layouts[0].Elements, .. layouts.Select(layout => Number(layout.Layout.BytesPerToken)), Number(layouts[0].Layout.States.PlaceBytes),
            Feature(trial => trial.Chunked), Feature(trial => trial.Prefix), Feature(trial => trial.Batch), Feature(trial => trial.Preempt),
            .. trials.Select(trial => Cell(trial is { Chunked: true, Prefix: true, Batch: true, Preempt: true })),
        ];
        return $"| {string.Join(" | ", cells)} |\n";
    }

    /// <summary>What a trial finds; one that breaks off finds nothing.</summary>
    static SchemeTrial Trial(string fixture, CacheType type)
    {
        try
        {
            return SchemeTrial.Of(Fixtures.Path(fixture), type);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            TestContext.Current.SendDiagnosticMessage($"{fixture} with rows of {type}: {error}");
            return new(false, false, false, false);
        }
    }

    static (CacheLayout Layout, string Elements) Layout(string fixture, CacheType type)
    {
        using var checkpoint = Checkpoint.OpenFolder(Fixtures.Path(fixture));
        var plan = ModelTypes.Plan(new(checkpoint.Config, checkpoint.OpenLedger()));
        var layout = new CacheLayout([.. plan.Attentions], PageTokens, type);
        var elements = plan.Attentions.Select((_, layer) => layout.ElementsPerToken(layer).ToString("0.##", CultureInfo.InvariantCulture)).ToArray();
        return (layout, elements.Distinct().Count() == 1 ? $"{elements[0]} x {elements.Length}" : string.Join(", ", elements));
    }

    /// <summary>A multiple of the strides of rows that cover several tokens.</summary>
    const int PageTokens = 12;

    /// <summary>Every fixture of schemes, plain heads in their three forms, and models whose schemes no other fixture has.</summary>
    static IEnumerable<(string Scheme, string Fixture)> Shown()
    {
        var schemes = Folders("schemes").ToArray();
        var known = schemes.Select(fixture => fixture.Scheme).ToHashSet();
        string[] plain = ["hf/llama_mha", "hf/llama_gqa_llama3", "hf/gpt_bigcode"];
        return schemes.Concat(Folders("hf").Where(fixture => plain.Contains(fixture.Fixture) || (!known.Contains(fixture.Scheme) && !fixture.Scheme.StartsWith("MHA", StringComparison.Ordinal))))
            .OrderBy(fixture => fixture.Scheme, StringComparer.OrdinalIgnoreCase).ThenBy(fixture => fixture.Fixture, StringComparer.Ordinal);
    }

    static IEnumerable<(string Scheme, string Fixture)> Folders(string kind)
    {
        foreach (var folder in Directory.GetDirectories(Fixtures.Path(kind)))
        {
            var fixture = $"{kind}/{Path.GetFileName(folder)}";
            using var checkpoint = Checkpoint.OpenFolder(folder);
            yield return (string.Join(", ", ModelSummary.Of(checkpoint).Attention.Select(attention => attention.Scheme).Distinct()), fixture);
        }
    }

    static string Name(CacheType type) => type.ToString().ToLowerInvariant();

    static string Cell(bool found) => found ? "yes" : "no";

    static string Number(double value) => value == 0 ? "-" : value.ToString("#,0.##", CultureInfo.InvariantCulture);
}
