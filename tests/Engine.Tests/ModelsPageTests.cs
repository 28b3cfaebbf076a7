using System.Text;
using Serving.Model;
using Serving.Model.Gguf;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>docs/models.md says what is served and which test shows it; <c>tests/run --docs</c> writes it anew.</summary>
public sealed class ModelsPageTests
{
    static string Page { get; } = Fixtures.InRepository("docs/models.md");

    [Fact]
    public void The_page_of_models_says_what_the_tests_show()
    {
        var page = Text();
        if (Environment.GetEnvironmentVariable("SERVING_WRITE_DOCS") == "true") File.WriteAllText(Page, page);
        Assert.True(
            File.Exists(Page) && File.ReadAllText(Page) == page,
            "docs/models.md is not what the tests show any more; tests/run --docs writes it.");
    }

    static string Text()
    {
        var page = new StringBuilder("""
            # Models

            Written by `tests/run --docs`. A fixture is a tiny checkpoint under `tests/fixtures` whose logits and greedy ids another library
            computed (the README beside it says which). Those in Hugging Face's format are compared on the reference and the CPU device, and served
            over HTTP. A type without a fixture can be read, but no test shows that its answers are right. `serving inspect MODEL` describes one.

            ## Hugging Face folders


            """);
        var fixtures = Directories("hf").Concat(Directories("schemes")).Select(Summary).ToLookup(fixture => fixture.Model.ModelType);
        page.Append("| `model_type` | attention | rows | feed-forward | fixtures |\n|---|---|---|---|---|\n");
        foreach (var name in ModelTypes.All.SelectMany(type => type.Names).Order(StringComparer.Ordinal))
            page.Append($"| `{name}` | {Attention(fixtures[name])} | {Rows(fixtures[name])} | {Networks(fixtures[name])} | ")
                .Append($"{Names(fixtures[name].Select(fixture => fixture.Name))} |\n");
        page.Append("\n## GGUF files\n\nFiles that tests write from fixtures under llama.cpp's names and conventions; where llama.cpp is installed (`tests/run --all --install`)\n")
            .Append("its own logits are compared too, and they are the only ones that `glm4_moe` has. llama.cpp does not know `step3`.\n\n| `general.architecture` | `model_type` | tested with |\n|---|---|---|\n");
        var files = GgufTests().ToLookup(test => test.Architecture, test => test.Fixture);
        foreach (var architecture in GgufArchitecture.All.OrderBy(architecture => architecture.Name, StringComparer.Ordinal))
            page.Append($"| `{architecture.Name}` | {ModelTypeOf(architecture)} | {Names(files[architecture.Name])} |\n");
        return page.Append($"\nWeights of GGUF files may be stored as {GgmlTypes.ServedNames}; ")
            .Append($"those of safetensors as {SafetensorsType.ServedNames}, and, where `quantization_config` says so, as fp8 (E4M3 with a scale for each\n")
            .Append("128 x 128, `weight_block_size`) or mxfp4 (`NAME_blocks` and `NAME_scales`). Packed weights stay packed in memory and meet float32\n")
            .Append("activations: the libraries that publish fp8 models round activations to fp8 too, so their logits differ by that rounding.\n").ToString();
    }

    static (string Name, ModelSummary Model) Summary(string fixture)
    {
        using var checkpoint = Checkpoint.Open(Fixtures.InRepository(fixture));
        return (Path.GetFileName(fixture), ModelSummary.Of(checkpoint));
    }

    static IEnumerable<string> Directories(string kind) =>
        Directory.GetDirectories(Fixtures.Path(kind)).Order(StringComparer.Ordinal)
            .Select(folder => $"tests/fixtures/{kind}/{Path.GetFileName(folder)}");

    // Files that tests write from fixtures, files of the repository, and the model that comes with it.
    static IEnumerable<(string Architecture, string Fixture)> GgufTests() =>
    [
        .. typeof(GgufArchitectureTests).GetMethod(nameof(GgufArchitectureTests.A_fixture_as_gguf_gives_its_golden_logits))!
            .GetCustomAttributes(typeof(InlineDataAttribute), false).Cast<InlineDataAttribute>()
            .Select(data => ((string)data.Data[1]!, Path.GetFileName((string)data.Data[0]!))),
        .. typeof(GgufArchitectureTests).GetMethod(nameof(GgufArchitectureTests.A_model_as_gguf_gives_the_logits_of_its_folder))!
            .GetCustomAttributes(typeof(InlineDataAttribute), false).Cast<InlineDataAttribute>()
            .Select(data => ((string)data.Data[1]!, (string)data.Data[0]!)),
        .. Directory.GetFiles(Fixtures.Path("gguf"), "*.gguf").Order(StringComparer.Ordinal)
            .Select(file => Path.GetRelativePath(Fixtures.InRepository(""), file)).Append("models/smollm2-135m-instruct-mfa")
            .Select(Summary).Select(file => (file.Model.GgufArchitecture!, file.Name)),
    ];

    static string Attention(IEnumerable<(string, ModelSummary Model)> fixtures) =>
        Cell(fixtures.SelectMany(fixture => fixture.Model.Attention).Select(kind => kind.Scheme));

    static string Rows(IEnumerable<(string, ModelSummary Model)> fixtures) =>
        Cell(fixtures.SelectMany(fixture => fixture.Model.Attention)
            .Select(kind => kind.Rows.Split(' ') is [("window" or "chunks") and var rule, ..] ? rule : kind.Rows));

    static string Networks(IEnumerable<(string, ModelSummary Model)> fixtures) =>
        Cell(fixtures.SelectMany(fixture => fixture.Model.FeedForward).Select(kind =>
            kind.Experts == 0 ? "dense" : kind.SharedWidth > 0 ? "experts and shared" : "experts"));

    static string ModelTypeOf(GgufArchitecture architecture) =>
        Names(architecture.Variants.Select(variant => variant.ModelType).DefaultIfEmpty(architecture.ModelType));

    static string Cell(IEnumerable<string> values) => string.Join(", ", values.Distinct().DefaultIfEmpty("-"));

    static string Names(IEnumerable<string> values) => Cell(values.Select(value => $"`{value}`"));
}
