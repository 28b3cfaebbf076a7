using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): every token leaves one normed latent and one rotary key
/// that all heads share. Absorbed, the latent is key and value at once.
/// </summary>
public sealed class Mla : IAttentionFamily
{
    /// <summary>The latent norms are built without the model's epsilon in every published implementation.</summary>
    const float LatentEpsilon = 1e-6f;

    /// <inheritdoc/>
    public string Name => "MLA";

    /// <inheritdoc/>
    public ImmutableArray<(string Gguf, string Config)> GgufKeys { get; } =
        [("attention.key_length_mla", "qk_head_dim"), ("attention.value_length_mla", "value_head_size")];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) =>
        layer.Has("kv_a_proj_with_mqa.weight") && (layer.Has("kv_b_proj.weight") || layer.Has("k_b_proj.weight")) 
        && !Clla.Shares(layer) && !Kha.Mixes(layer) && !EgMla.Gates(layer);

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.OfLatents("MLA", "one latent of 4 d and a rotary key of d / 2, as DeepSeek-V2", 4 * sizes.Width, 1, sizes.Width / 2),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, latent) = (layer.HiddenSize, layer.Heads, layer.Config.Int("kv_lora_rank"));
        // What they say of MLA models differs from type to type; the widths above and below count.
        layer.Config.Ignore("head_dim", "num_key_value_heads");
        var (content, rotary) = (layer.Config.Int("qk_nope_head_dim"), layer.Config.Int("qk_rope_head_dim"));
        var value = layer.ValueWidth ?? layer.Config.Int("v_head_dim", hidden / heads);
        if (rotary % 2 != 0) throw layer.Config.Wrong("qk_rope_head_dim", $"{rotary}", "an even number, since pairs turn");
        AgreeOnNorms(layer);
        // GGUF files hold the up-projection in two stacks, keys already transposed.
        var split = layer.Has("k_b_proj.weight");
        Agree(layer, "mla_scale_q_lora", layer.QueryEnd);
        Agree(layer, "mla_scale_kv_lora", layer.LatentEnd);
        var down = layer.Linear("kv_a_proj_with_mqa", latent + rotary, hidden) with { Of = latent + rotary };
        return new()
        {
            Streams =
            [
                new("latent", Projection.Of(down with { Outputs = latent }, layer.Norm("kv_a_layernorm", latent, LatentEpsilon), layer.LatentEnd), latent),
                new("rotary", Projection.Of(down with { First = latent, Outputs = rotary }, layer.Rotate(rotary)), rotary),
            ],
            Branch = new(heads, Query(layer, heads * (content + rotary), content), "latent")
            {
                Rotary = "rotary",
                RotaryOffset = content,
                KeyMap = split ? new($"{layer.Prefix}k_b_proj.weight", content, 0, content, latent) { Ready = true }
                    : new($"{layer.Prefix}kv_b_proj.weight", content + value, 0, content, latent),
                ValueMap = split ? new($"{layer.Prefix}v_b_proj.weight", value, 0, value, latent) { Ready = true }
                    : new($"{layer.Prefix}kv_b_proj.weight", content + value, content, value, latent),
                Scale = layer.Scale ?? 1 / MathF.Sqrt(content + rotary),
                Output = Projection.Of(layer.Linear(layer.NameOf("o_proj", "c_proj"), hidden, heads * value)),
            },
            Rows = layer.Rows,
        };
    }

    /// <summary>A file may say that a type scales a latent, but the type decides.</summary>
    static void Agree(AttentionContext layer, string key, Step? scale)
    {
        if (layer.Config.BoolOrNull(key) is { } said && said != (scale is not null))
            throw layer.Config.Wrong(key, $"{said}", $"{!said}, as every {layer.Config.ModelType} has it");
    }

    /// <summary>Latents are normed where the norm's tensor is there; a file that says otherwise is not what it seems.</summary>
    static void AgreeOnNorms(AttentionContext layer)
    {
        if (layer.Has("kv_a_proj_with_mqa.weight") && !layer.Config.Has("latent_norm") && !EgMla.Gates(layer)
            && layer.Config.Bool("qk_latent_layernorm", true) != layer.Has("kv_a_layernorm.weight"))
            throw layer.Config.Wrong("qk_latent_layernorm", $"{layer.Config.Bool("qk_latent_layernorm", true)}", "what the tensors say");
    }

    static Projection Query(AttentionContext layer, int outputs, int content)
    {
        var turn = layer.Rotate(outputs / layer.Heads, content);
        return layer.Config.IntOrNull("q_lora_rank") is { } rank and > 0
            ? Projection.Of(
                layer.Linear("q_a_proj", rank, layer.HiddenSize), layer.Norm("q_a_layernorm", rank, LatentEpsilon),
                layer.Linear("q_b_proj", outputs, rank), turn, layer.QueryEnd)
            : Projection.Of(layer.Linear("q_proj", outputs, layer.HiddenSize), turn, layer.QueryEnd);
    }
}
