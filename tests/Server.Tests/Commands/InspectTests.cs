using System.Text.Json;
using System.Text.Json.Nodes;
using Serving.Server.Commands;

namespace Serving.Tests;

public sealed class InspectTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("inspect-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory, MemberData(nameof(ModelFixtures.All), MemberType = typeof(ModelFixtures))]
    public void A_model_is_described_without_being_loaded(string fixture)
    {
        var report = InspectCommand.Report(ModelFixtures.PathOf(fixture));
        Assert.True(report.Served, report.Reason);
        var model = report.Model!;
        Assert.Equal(Enumerable.Range(0, model.Layers), model.Attention.SelectMany(kind => kind.Layers).Distinct().Order());
        Assert.Equal(Enumerable.Range(0, model.Layers), model.FeedForward.SelectMany(kind => kind.Layers).Distinct().Order());
        // Those that gate what is read keep the token's id, and those with latents by modality the class of the token, once for all layers.
        var ids = fixture is "schemes/eg_mla" or "schemes/eg_mla_head" or "schemes/eg_mla_split" ? 4 : fixture.StartsWith("schemes/mha2mla_vlm", StringComparison.Ordinal) ? 2 : 0;
        // Two owners with 24 values in four bits, two scales and a rotary key of 8.
        if (fixture == "schemes/clla_int4") Assert.Equal((2 * (12 + 4 + 32), 2 * (12 + 4 + 16)), (model.Cache[0].Float32Bytes, model.Cache[0].BFloat16Bytes));
        else Assert.All(model.Cache, group => Assert.Equal((4 * group.Elements + ids, 2 * group.Elements + ids), (group.Float32Bytes, group.BFloat16Bytes)));
    }

    [Fact]
    public void Latent_attention_behind_a_mixture_is_told_in_numbers() => Assert.Equal(
        """
        model      deepseek_v3 (deepseek_v3)
        size       240,896 parameters in 963,584 bytes; 3 layers of width 68
        context    256 tokens
        attention  MLA, all rows: 5 heads in 1 group, cached row 32, rotary part 14, values in the row; layers 0-2
        network    dense, gated Silu, width 94; layer 0
        network    4 of 12 experts, gated Silu, width 22, shared width 22; layers 1-2
        weights    F32: 115 tensors, 963,584 bytes
        cache      all rows: in 3 caches a token leaves 138 values, 552 bytes as float32, 276 as bfloat16
        vocabulary 213 tokens; tokenizer: none, the model takes and gives token ids alone
        stop ids   2
        chat       no template

        """,
        InspectCommand.InText(InspectCommand.Report(ModelFixtures.PathOf("hf/deepseek_v3"))));

    [Fact]
    public void The_model_in_the_box_has_its_text_side()
    {
        var report = InspectCommand.Report(ModelLoading.DefaultModel()!);
        Assert.Equal(("step3", "MFA", 30), (report.Model!.GgufArchitecture, report.Model.Attention.Single().Scheme, report.Model.Layers));
        Assert.Equal("GGUF gpt2, pre-tokenizer smollm", report.Text!.Tokenizer);
        Assert.Equal(new(SystemRole: true, Tools: false, ToolCalls: false, "Text"), report.Text.ChatTemplate);
        Assert.Contains(2, report.Text.StopIds);
    }

    [Theory]
    [InlineData("num_hidden_layers", "1", "tensors were not used")]
    [InlineData("num_hidden_layers", "4", "model.layers.3.")]
    [InlineData("surprising_factor", "2", "surprising_factor")]
    [InlineData("model_type", "\"mamba\"", "model_type is \"mamba\"; expected one of")]
    public void A_model_that_is_not_served_is_told_why(string key, string value, string reason)
    {
        File.Copy(Path.Combine(ModelFixtures.PathOf("hf/llama_mha"), "model.safetensors"), Path.Combine(_folder, "model.safetensors"));
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(ModelFixtures.PathOf("hf/llama_mha"), "config.json")))!;
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(Path.Combine(_folder, "config.json"), config.ToJsonString());
        var report = InspectCommand.Report(_folder);
        Assert.False(report.Served);
        Assert.Contains(reason, report.Reason);
        var json = JsonSerializer.SerializeToElement(report, InspectJson.Default.InspectReport);
        Assert.Equal(["path", "served", "reason"], json.EnumerateObject().Select(member => member.Name));
    }

    [Fact]
    public async Task The_command_fails_for_what_is_not_there() =>
        Assert.Equal(1, await CommandLine.RunAsync(["inspect", Path.Combine(_folder, "none"), "--json"]));
}
