using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// X-EcoMLA (Li et al., arXiv 2503.11132): a Llama some of whose layers were converted to latents, with ranks of their own in a further
/// configuration file. Those turn by that file's frequencies, the others by the model's.
/// </summary>
public sealed class XEcoMla : IAttentionFamily
{
    const string File = "mla_layer_config.json";

    /// <inheritdoc/>
    public string Name => "X-EcoMLA";

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => Converted(layer) != layer && Converted(layer).Has("kv_a_proj_with_mqa.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.OfLatents("X-EcoMLA", "one latent of 2 d and a rotary key of d / 2, as the paper's sixth of Llama 3.2 1B", 2 * sizes.Width, 1, sizes.Width / 2),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads) = (layer.HiddenSize, layer.Heads);
        layer = Converted(layer);
        var config = layer.Tensors.Companion(File)
            ?? throw new CheckpointException($"{layer.Config.Source}: the layers {layer.Prefix}* need {File} beside it, which is missing.");
        config.Ignore("num_attention_heads", "q_lora_rank", "kv_lora_rank");
        // Said of the heads before the conversion; where every layer is converted, nobody else reads them.
        layer.Config.Ignore("num_key_value_heads", "head_dim", "rope_theta", "rope_scaling");
        var (content, rotary, value) = (config.Int("qk_nope_head_dim"), config.Int("qk_rope_head_dim"), config.Int("v_head_dim"));
        var (queryRank, latent) = Ranks(config, layer.Layer);
        var rope = config.Rope() with { PartialFactor = 1 };
        if (config.ObjectOrNull("rope_scaling")?.IntOrNull("original_max_position_embeddings") is null) rope = rope with { OriginalPositions = 4096 };
        layer = layer with { Rotary = rope.Plan };
        var epsilon = config.Bool("use_lora_layer_norm", false) == layer.Has("kv_a_layernorm.weight")
            ? 1e-6f
            : throw config.Wrong("use_lora_layer_norm", $"{config.Bool("use_lora_layer_norm", false)}", "what the tensors say");
        var down = layer.Linear("kv_a_proj_with_mqa", latent, hidden) with { Of = latent + rotary };
        var up = $"{layer.Prefix}kv_b_proj.weight";
        return new()
        {
            Streams =
            [
                new("latent", Projection.Of(down, layer.Norm("kv_a_layernorm", latent, epsilon)), latent),
                new("rotary", Projection.Of(down with { First = latent, Outputs = rotary }, layer.Rotate(rotary)), rotary),
            ],
            Branch = new(heads, Projection.Of(
                layer.Linear("q_a_proj", queryRank, hidden), layer.Norm("q_a_layernorm", queryRank, epsilon),
                layer.Linear("q_b_proj", heads * (content + rotary), queryRank), layer.Rotate(content + rotary, content)), "latent")
            {
                Rotary = "rotary",
                RotaryOffset = content,
                KeyMap = new(up, content + value, 0, content, latent),
                ValueMap = new(up, content + value, content, value, latent),
                Scale = 1 / MathF.Sqrt(content + rotary),
                Output = Projection.Of(layer.Linear("out_proj", hidden, heads * value)),
            },
            Rows = layer.Rows,
        };
    }

    static AttentionContext Converted(AttentionContext layer) =>
        layer with { Prefix = layer.Prefix.Replace(".self_attn.", ".mla.", StringComparison.Ordinal) };

    static (int Query, int Latent) Ranks(ModelConfig config, int layer)
    {
        var own = config.ObjectOrNull("layer_rank_list")?.ObjectOrNull($"{layer}");
        return (own?.IntOrNull("q_rank") ?? config.Int("q_lora_rank"), own?.IntOrNull("kv_rank") ?? config.Int("kv_lora_rank"));
    }
}
