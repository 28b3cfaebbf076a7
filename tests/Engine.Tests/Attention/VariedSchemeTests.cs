using System.Text.Json.Nodes;
using Serving.Attention;
using Serving.Devices;
using Serving.Devices.Reference;
using Serving.Model;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>
/// Every scheme under what may vary any scheme: a sliding window on all branches, latents in four bits. Chunks, both devices and crowds agree, and
/// where the variation does nothing it changes nothing; or the load is refused, and says why.
/// </summary>
public sealed class VariedSchemeTests
{
    const int Window = 12;

    static readonly int[] Prompt = [.. Enumerable.Range(0, 50).Select(i => 3 + i * 11 % 130)];

    public static TheoryData<string> Schemes() =>
        [.. Directory.GetDirectories(Fixtures.Path("schemes")).Order(StringComparer.Ordinal).Select(folder => $"schemes/{Path.GetFileName(folder)}")];

    [Theory, MemberData(nameof(Schemes))]
    public void A_window_as_long_as_the_prompt_changes_no_bit_and_a_shorter_one_says_the_same_however_it_is_cut(string fixture)
    {
        using var folder = new TemporaryFolder();
        var whole = Logits(fixture, 5, new CpuDevice());
        // A multiple of the strides, and no less than the prompt.
        Assert.Equal(whole, Logits(Slide(fixture, folder, 60), 5, new CpuDevice()));
        var slid = Slide(fixture, folder, Window);
        var expected = Logits(slid, Prompt.Length, new CpuDevice());
        foreach (var chunk in (int[])[1, 7]) Assert.Equal(expected, Logits(slid, chunk, new CpuDevice()));
        Golden.Near(Logits(slid, Prompt.Length, new ReferenceDevice()), expected, 2e-3f, fixture);
        Assert.Equal(whole[..Window], expected[..Window]);
        Expanded(slid, expected, fixture);
        Assert.NotEqual(whole[^1], expected[^1]);
    }

    [Theory, MemberData(nameof(Schemes))]
    public void Windows_let_everyone_say_in_a_crowd_what_they_say_alone(string fixture)
    {
        using var folder = new TemporaryFolder();
        var slid = Slide(fixture, folder, Window);
        for (var seed = 2000; seed < 2000 + Fixtures.Rounds(3); seed++) RealScheduleTests.Play(slid, new Random(seed));
    }

    [Theory, MemberData(nameof(Schemes))]
    public void Latents_in_four_bits_say_the_same_however_they_are_cut_or_are_refused(string fixture)
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Checkpoint.OpenFolder(Fixtures.Path(fixture));
        var plan = ModelTypes.Plan(new(checkpoint.Config, checkpoint.OpenLedger()));
        int[] widths = [.. plan.Attentions.SelectMany(attention => attention.Streams).Where(stream => stream.Name == "latent").Select(stream => stream.Width).Distinct()];
        var group = widths.Length == 0 ? 4 : Enumerable.Range(1, 8).Last(size => widths.All(width => width % size == 0));
        var packed = Change(fixture, folder, config => config["latent_quantization"] = new JsonObject { ["bits"] = 4, ["group_size"] = group });
        if (widths.Length == 0 || plan.Attentions.Any(attention => attention.Streams.All(stream => stream.Name != "latent")))
        {
            Assert.Contains("are not latents", Assert.Throws<CheckpointException>(() => Logits(packed, 50, new CpuDevice())).Message);
            return;
        }
        var expected = Logits(packed, Prompt.Length, new CpuDevice());
        foreach (var chunk in (int[])[1, 7]) Assert.Equal(expected, Logits(packed, chunk, new CpuDevice()));
        for (var seed = 3000; seed < 3000 + Fixtures.Rounds(3); seed++) RealScheduleTests.Play(packed, new Random(seed));
    }

    [Theory, InlineData("cla_hunyuan", "key"), InlineData("clla", "latent"), InlineData("eg_mla", "id"), InlineData("mha2mla_vlm", "class")]
    public void Layers_that_share_rows_and_see_others_are_refused(string fixture, string stream)
    {
        using var folder = new TemporaryFolder();
        var mixed = Change($"schemes/{fixture}", folder, config =>
        {
            config["sliding_window"] = Window;
            config["layer_types"] = new JsonArray([.. Enumerable.Range(0, config["num_hidden_layers"]!.GetValue<int>()).Select(layer => JsonValue.Create(layer % 2 == 0 ? LayerType.Full : LayerType.Sliding))]);
        });
        var error = Assert.Throws<CheckpointException>(() => Logits(mixed, 50, new CpuDevice()));
        Assert.Contains($"attention 1 cannot be served: it sees window 12 and reads the {stream} of attention 0, which keeps all rows; layers that share rows must see the same", error.Message);
    }

    [Theory, InlineData("mtla"), InlineData("mtla_s3")]
    public void Rows_of_several_tokens_may_be_shared_by_layers(string fixture)
    {
        using var folder = new TemporaryFolder();
        var model = TinyModel.Of($"schemes/{fixture}");
        model.Config["layer_share_factor"] = 2;
        model.Remove([.. ((string[])["wkv_a.", "kv_norm.", "hypernet_down"]).Select(part => $"layers.1.self_attn.{part}")]);
        var shared = model.WriteFolder(folder.Path);
        using var checkpoint = Checkpoint.OpenFolder(shared);
        var plan = ModelTypes.Plan(new(checkpoint.Config, checkpoint.OpenLedger()));
        var elements = (model.Int("kv_lora_rank") + model.Int("qk_rope_head_dim")) / (double)model.Int("down_rate");
        Assert.Equal([elements, 0, elements], plan.Attentions.Select(attention => attention.ElementsPerToken));
        var expected = Logits(shared, Prompt.Length, new CpuDevice());
        Golden.Near(Logits(shared, Prompt.Length, new ReferenceDevice()), expected, 2e-3f, fixture);
        foreach (var chunk in (int[])[1, 7]) Assert.Equal(expected, Logits(shared, chunk, new CpuDevice()));
        for (var seed = 4000; seed < 4000 + Fixtures.Rounds(5); seed++) RealScheduleTests.Play(shared, new Random(seed));
    }

    /// <summary>Where keys and values can be rebuilt from latents, the rebuilt ones say the same, however the prompt is cut.</summary>
    static void Expanded(string model, float[][] absorbed, string fixture)
    {
        using var harness = new DecoderHarness(Checkpoint.OpenFolder(model), new CpuDevice(), expands: true);
        if (!harness.Plan.Attentions.Any(plan => plan.CanExpand)) return;
        var whole = harness.Prefill(Prompt, Prompt.Length, Prompt.Length, expanded: true);
        Golden.Near(absorbed, whole, 2e-3f, fixture);
        Assert.NotEqual(absorbed[^1], whole[^1]);
        foreach (var chunk in (int[])[1, 7]) Assert.Equal(whole, harness.Prefill(Prompt, chunk, Prompt.Length, expanded: true));
    }

    static string Slide(string fixture, TemporaryFolder folder, int window) => Change(fixture, folder, config =>
    {
        var layers = ((string[])["num_hidden_layers", "n_layer", "num_layers"]).Select(key => config[key]).OfType<JsonNode>().First().GetValue<int>();
        config["sliding_window"] = window;
        config["layer_types"] = new JsonArray([.. Enumerable.Repeat(LayerType.Sliding, layers).Select(type => JsonValue.Create(type))]);
    });

    static string Change(string fixture, TemporaryFolder folder, Action<JsonObject> change)
    {
        foreach (var file in Directory.GetFiles(Fixtures.Path(fixture))) File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)), overwrite: true);
        var path = Path.Combine(folder.Path, "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        change(config);
        File.WriteAllText(path, config.ToJsonString());
        return folder.Path;
    }

    static float[][] Logits(string model, int chunk, IDevice device)
    {
        using var harness = new DecoderHarness(Checkpoint.OpenFolder(Path.IsPathRooted(model) ? model : Fixtures.Path(model)), device);
        return harness.Prefill(Prompt, chunk, Prompt.Length);
    }
}
