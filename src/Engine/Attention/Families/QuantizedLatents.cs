using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Latents that a checkpoint was trained to store in four bits (Yang et al., arXiv 2410.15252): symmetric, a float16 scale for each group
/// of neighbouring values. The rotary key is stored like everything else. Varies the plan of any family that caches latents.
/// </summary>
static class QuantizedLatents
{
    const string Key = "latent_quantization";

    /// <summary>The plan with its latents so stored, where the configuration asks for it.</summary>
    /// <exception cref="CheckpointException">The layer has no latents, or they cannot be stored as asked.</exception>
    public static AttentionPlan Vary(AttentionPlan plan, AttentionContext layer)
    {
        if (layer.Config.ObjectOrNull(Key) is not { } asked) return plan;
        if (!plan.Streams.Any(IsLatent))
            throw layer.Config.Wrong(Key, "set", $"null: the layer caches {string.Join(", ", plan.Streams.Select(s => s.Name))}, which are not latents; "
                + "the cache's own type can be chosen without it");
        if (asked.Int("bits", 4) is var bits and not 4) throw asked.Wrong("bits", $"{bits}", "4");
        if (!asked.Bool("symmetric", true)) throw asked.Wrong("symmetric", "false", "true: rows have scales and no zero points");
        if (asked.Text("scale_dtype", "float16") is var scale and not "float16") throw asked.Wrong("scale_dtype", scale, "float16");
        var group = asked.Int("group_size");
        foreach (var latent in plan.Streams.Where(IsLatent))
            if (group < 1 || latent.Width % group != 0)
                throw asked.Wrong("group_size", $"{group}", $"a divisor of the latent's {latent.Width} values");
        return plan with
        {
            Streams = [.. plan.Streams.Select(stream => IsLatent(stream) ? stream with { Format = new RowFormat(CacheType.Int4, group) } : stream)],
        };
    }

    static bool IsLatent(CachedStream stream) => stream.Name == "latent";
}
