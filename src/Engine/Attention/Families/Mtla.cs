using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Multi-head temporal latent attention (Deng and Woodland, arXiv 2505.13544): latent attention in which neighbouring tokens share a row,
/// the sum of their latents times gates of block and latent, with the rotary key of the newest. With layer_share_factor, neighbouring
/// layers read the rows of the first of them, as in cross-layer latent attention.
/// </summary>
public sealed class Mtla : IAttentionFamily
{
    // The authors' LayerNorms have the default of their library.
    const float LatentEpsilon = 1e-5f;

    const string Share = "layer_share_factor";

    /// <inheritdoc/>
    public string Name => "MTLA";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["mtla", "llama-mtla"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("hypernet_down.fc_c.weight") || (layer.Has("wkv_b.weight") && layer.Config.Has(Share));

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        Folded(SchemeSketch.OfLatents("MTLA", "one latent of 4 d and a rotary key of d / 2 for every two tokens", 4 * sizes.Width, 1, sizes.Width / 2)),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, config, latent) = (layer.HiddenSize, layer.Heads, layer.Config, layer.Config.Int("kv_lora_rank"));
        var (content, rotary, value) = (config.Int("qk_nope_head_dim"), config.Int("qk_rope_head_dim"), config.Int("v_head_dim"));
        config.Ignore("head_dim", "num_key_value_heads");
        if (latent % 2 != 0 || latent < 4) throw config.Wrong("kv_lora_rank", $"{latent}", "an even number from 4 on: blocks have sines and cosines");
        var stride = config.Int("down_rate", 2);
        if (stride is < 1 or > 4096) throw config.Wrong("down_rate", $"{stride}", "1 to 4096 tokens in a row");
        if (!config.Bool("recompute_prompt_attn", true))
            throw config.Wrong("recompute_prompt_attn", "false", "true: a prompt's tokens that see closed rows only would be read otherwise than an answer's");
        var (down, up) = (layer.Linear("wkv_a", latent + rotary, hidden) with { Of = latent + rotary }, $"{layer.Prefix}wkv_b.weight");
        var gate = new Step.Weigh(
            new BlockEmbedding(latent, stride), layer.Linear("hypernet_down.fc_c", latent / 4, latent), layer.Linear("hypernet_down.fc_p", latent / 4, latent));
        AttentionPlan plan = new()
        {
            States = [new("fold", new StateUpdate.Fold(latent, stride))],
            Streams =
            [
                new("latent", Projection.Of(down with { Outputs = latent }, Norm(layer, "kv_norm", latent), gate, new Step.Remember("fold")), latent) { Stride = stride },
                new("rotary", Projection.Of(down with { First = latent, Outputs = rotary }, Turn(layer, rotary, 0)), rotary) { Stride = stride },
            ],
            Branch = new(heads, Query(layer, heads * (content + rotary), content), "latent")
            {
                Rotary = "rotary",
                RotaryOffset = content,
                KeyMap = new(up, content + value, 0, content, latent),
                ValueMap = new(up, content + value, content, value, latent),
                Scale = layer.Scale ?? 1 / MathF.Sqrt(content + rotary),
                Output = Projection.Of(layer.Linear("wo", hidden, heads * value)),
            },
            Rows = layer.Rows,
        };
        // A layer that borrows rows makes none, and folds none.
        var owner = config.Has(Share) ? LayerGroups.Owner(layer, Share, "wkv_a.weight") : layer.Layer;
        return owner == layer.Layer ? plan : plan with { States = [], Streams = [.. plan.Streams.Select(stream => stream with { OwnedBy = owner })] };
    }

    static SchemeSketch Folded(SchemeSketch sketch) => sketch with { Streams = [.. sketch.Streams.Select(stream => stream with { Stride = 2 })] };

    static Projection Query(AttentionContext layer, int outputs, int content)
    {
        var turn = Turn(layer, outputs / layer.Heads, content);
        return layer.Config.Int("q_lora_rank", 0) is var rank and > 0
            ? Projection.Of(layer.Linear("wq_a", rank, layer.HiddenSize), Norm(layer, "q_norm", rank), layer.Linear("wq_b", outputs, rank), turn)
            : Projection.Of(layer.Linear("wq", outputs, layer.HiddenSize), turn);
    }

    // Neighbours turn in the authors' own code, halves in their wrapper of another library's models.
    static Step.Rotate? Turn(AttentionContext layer, int width, int offset) => layer.Rotate(width, offset) is not { } turn ? null
        : turn with { Rotary = turn.Rotary with { Interleaved = layer.Config.Bool("rope_interleave", layer.Config.ModelType == "mtla") } };

    static Step.Normalize Norm(AttentionContext layer, string name, int width) =>
        new(NormKind.Layer, width, LatentEpsilon, $"{layer.Prefix}{name}.weight") { Bias = $"{layer.Prefix}{name}.bias" };
}
