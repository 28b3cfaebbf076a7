using System.Text.Json.Nodes;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>Latents in four bits: part of a scheme, of any scheme that caches latents, or refused with the reason.</summary>
public sealed class QuantizedLatentsTests
{
    static ModelPlan Plan(string fixture, JsonObject? quantization)
    {
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(Fixtures.Path(fixture))) File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        var path = Path.Combine(folder.Path, "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config["latent_quantization"] = quantization;
        File.WriteAllText(path, config.ToJsonString());
        using var checkpoint = Checkpoint.OpenFolder(folder.Path);
        return ModelTypes.Plan(new(checkpoint.Config, checkpoint.OpenLedger()));
    }

    static JsonObject Asked(int group, int bits = 4, bool symmetric = true, string scale = "float16") =>
        new() { ["bits"] = bits, ["group_size"] = group, ["symmetric"] = symmetric, ["scale_dtype"] = scale };

    [Theory]
    [InlineData("schemes/mla", 6, "rotary"), InlineData("schemes/gla", 9, "rotary"), InlineData("schemes/clla_per_layer", 12, "rotary")]
    [InlineData("hf/deepseek_v2_lite", 17, "rotary")]
    public void Any_scheme_with_latents_stores_them_so_and_its_rotary_keys_as_before(string fixture, int group, string rotary)
    {
        var plan = Plan(fixture, Asked(group));
        var layout = new CacheLayout([.. plan.Attentions], 16, CacheType.Float32);
        foreach (var region in layout.Regions([4]))
            Assert.Equal(region.Stream.Name == rotary ? CacheType.Float32 : new RowFormat(CacheType.Int4, group), region.Format);
        var attention = plan.Attentions.First();
        var (latent, turned) = (attention.Stream("latent"), attention.Stream(rotary));
        var bytes = latent.Groups * ((latent.Width + 7) / 8 * 4 + latent.Width / group * 2) + turned.Width * turned.Groups * 4;
        Assert.Equal(bytes, layout.TokenBytes(0));
    }

    [Theory]
    [InlineData("schemes/mla", 7, 4, true, "float16", "latent_quantization.group_size is 7; expected a divisor")]
    [InlineData("schemes/mla", 0, 4, true, "float16", "group_size")]
    [InlineData("schemes/mla", 6, 3, true, "float16", "bits")]
    [InlineData("schemes/mla", 6, 4, false, "float16", "symmetric")]
    [InlineData("schemes/mla", 6, 4, true, "float32", "scale_dtype")]
    [InlineData("hf/llama_gqa_llama3", 6, 4, true, "float16", "caches key, value, which are not latents")]
    public void What_cannot_be_stored_as_asked_is_refused(string fixture, int group, int bits, bool symmetric, string scale, string reason) =>
        Assert.Contains(reason, Assert.Throws<CheckpointException>(() => Plan(fixture, Asked(group, bits, symmetric, scale))).Message);
}
