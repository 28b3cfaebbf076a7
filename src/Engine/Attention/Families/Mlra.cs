using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Several small latents instead of one: every head reads one of them (grouped latent attention, arXiv 2505.21487) or, in multi-head
/// low-rank attention (Liu et al., arXiv 2603.02188), several with a softmax each, whose outputs are added. A head that reads n latents
/// is n heads here.
/// </summary>
public sealed class Mlra : IAttentionFamily
{
    const float LatentEpsilon = 1e-6f;

    /// <inheritdoc/>
    public string Name => "MLRA";

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("kv_b_proj") || layer.Has("kv_b_proj_1.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.OfLatents("GLA-4", "four latents of d and a rotary key of d / 2, each read by a quarter of the heads", sizes.Width, 4, sizes.Width / 2),
        SchemeSketch.OfLatents("MLRA-4", "four latents of d and a rotary key of d / 2, as the paper's 128", sizes.Width, 4, sizes.Width / 2),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, config, stacked) = (layer.HiddenSize, layer.Heads, layer.Config, layer.Has("kv_b_proj"));
        var (content, rotary, rank) = (config.Int("qk_nope_head_dim"), config.Int("qk_rope_head_dim"), config.Int("q_lora_rank"));
        var (latents, whole) = (stacked ? 4 : 2, config.Int("kv_lora_rank"));
        var (width, value) = (whole / latents, layer.ValueWidth ?? content);
        var readers = stacked ? layer.Tensors.Length($"{layer.Prefix}kv_b_proj")!.Value / (content + value) : heads / latents;
        if (whole % latents != 0 || readers < 1 || readers * latents % heads != 0)
            throw config.Wrong("kv_lora_rank", $"{whole}", $"{latents} latents of equal width, read by {readers} of {heads} heads each");
        var branches = readers * latents / heads;
        var down = layer.Linear("kv_a_proj_with_mqa", whole, hidden) with { Of = whole + rotary };
        var norm = new Step.Normalize(NormKind.RootMeanSquare, width, LatentEpsilon, $"{layer.Prefix}kv_a_layernorm{(stacked ? "s." : "_")}{{0}}.weight");
        return new()
        {
            Streams =
            [
                new("latent", Projection.Of(down, norm, new Step.Multiply(MathF.Sqrt((float)hidden / width))), width, latents),
                new("rotary", Projection.Of(down with { First = whole, Outputs = rotary }, layer.Rotate(rotary)), rotary),
            ],
            Branch = new(branches * heads, Projection.Of(
                layer.Linear("q_a_proj", rank, hidden), layer.Norm("q_a_layernorm", rank, LatentEpsilon),
                layer.Linear("q_b_proj", heads * (content + rotary), rank), layer.Rotate(content + rotary, content), layer.QueryEnd,
                branches == 1 ? null : new Step.Repeat(branches)), "latent")
            {
                Rotary = "rotary",
                RotaryOffset = content,
                KeyMap = HeadMap.Of(Slices(0, content)),
                ValueMap = HeadMap.Of(Slices(content, value)),
                Scale = layer.Scale ?? 1 / MathF.Sqrt(content + rotary),
                HeadGate = layer.Has("gated_proj.weight") ? Projection.Of(layer.Linear("gated_proj", heads * value, hidden), new Step.Repeat(branches)) : null,
                Output = branches == 1
                    ? Projection.Of(layer.Linear("c_proj", hidden, heads * value))
                    : Projection.Of(new Step.SumOfParts(branches), new Step.Multiply(1 / MathF.Sqrt(branches)), layer.Linear("c_proj", hidden, heads * value)),
            },
            Rows = layer.Rows,
        };

        // The stack is stored as [latents x inputs x outputs], single matrices as [outputs x inputs].
        IEnumerable<MadeMatrix> Slices(int offset, int rows)
        {
            var step = content + value;
            for (var latent = 0; latent < latents; latent++)
            {
                var up = stacked
                    ? layer.Stored("kv_b_proj", latents, width, readers * step).Take(latent * width, width).Transpose()
                    : layer.Stored($"kv_b_proj_{latent + 1}.weight", readers * step, width);
                for (var head = 0; head < readers; head++) yield return up.Take(head * step + offset, rows);
            }
        }
    }
}
