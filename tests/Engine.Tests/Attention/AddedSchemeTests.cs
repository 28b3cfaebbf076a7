using Serving.Attention;
using Serving.Devices;
using Serving.Devices.Cpu;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>The worked example of docs/adding-a-scheme.md compiles, runs, and is what the page shows.</summary>
public sealed class AddedSchemeTests
{
    const string Source = "hf/llama_gqa_llama3";

    static readonly int[] Prompt = [.. Enumerable.Range(0, 50).Select(i => 3 + i * 7 % 90)];

    [Fact]
    public void The_page_shows_the_example_and_its_test()
    {
        var page = File.ReadAllText(Fixtures.InRepository("docs/adding-a-scheme.md"));
        foreach (var file in (string[])["TiedRows.cs", "AddedSchemeTests.cs"])
        {
            var text = File.ReadAllText(Fixtures.InRepository($"tests/Engine.Tests/Attention/{file}"));
            var shown = text[text.IndexOf(file == "TiedRows.cs" ? "public sealed class" : "    // the example's test", StringComparison.Ordinal)..];
            if (file != "TiedRows.cs") shown = shown[..shown.IndexOf("    // its end", StringComparison.Ordinal)];
            Assert.True(page.Contains(shown.Trim(), StringComparison.Ordinal), $"docs/adding-a-scheme.md does not show what is in {file}.");
        }
    }

    // the example's test
    [Theory, InlineData(true), InlineData(false)]
    public void Tied_rows_are_grouped_attention_whose_values_are_its_keys(bool reference)
    {
        using var folder = new TemporaryFolder();
        var model = TinyModel.Of(Source);
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("v_proj")).ToArray())
            model.Tensors[name] = model.Tensors[name.Replace("v_proj", "k_proj")];
        using var expected = new DecoderHarness(Checkpoint.OpenFolder(model.WriteFolder(folder.Path)), Device());
        var logits = expected.Prefill(Prompt, Prompt.Length, Prompt.Length);

        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("k_proj")).ToArray())
        {
            model.Tensors.Remove(name, out var tensor);
            model.Tensors.Remove(name.Replace("k_proj", "v_proj"));
            model.Tensors[name.Replace("k_proj", "row_proj")] = tensor!;
        }
        using var tied = new DecoderHarness(Checkpoint.OpenFolder(model.WriteFolder(folder.Path)), Device(), plan: Plan);
        Assert.Equal(expected.Plan.Attentions.Sum(plan => plan.ElementsPerToken), 2 * tied.Plan.Attentions.Sum(plan => plan.ElementsPerToken));
        var whole = tied.Prefill(Prompt, Prompt.Length, Prompt.Length);
        Golden.Near(logits, whole, 1e-3f, "tied rows");
        foreach (var chunk in (int[])[1, 7]) Assert.Equal(whole, tied.Prefill(Prompt, chunk, Prompt.Length));

        IDevice Device() => reference ? new ReferenceDevice() : new CpuDevice();
    }

    // A family of the server is found by its name in AttentionFamilies.All; this one is put into the plan by hand.
    static ModelPlan Plan(ModelSource source) => source.Decoder(layer =>
    {
        var family = new TiedRows();
        var context = new AttentionContext(source.Config, source.Tensors, layer, $"{source.Prefix(layer)}self_attn.")
        {
            Rotary = width => source.Config.Rope().Plan(width),
            Epsilon = source.Epsilon,
            Rows = source.Rows(layer),
        };
        Assert.True(family.Describes(context));
        return
        [
            new AttentionBlock(family.Plan(context), family.Name) { Before = source.Norm($"{source.Prefix(layer)}input_layernorm") },
            source.FeedForward(layer),
        ];
    });
    // its end
}
