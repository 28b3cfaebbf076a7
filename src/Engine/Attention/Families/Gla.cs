using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Grouped latent attention with two latents (Zadouri et al., arXiv 2505.21487) under its authors' names, with biases. A bias on keys
/// adds the same to all of a head's scores and cancels; one on values adds itself to the head's output and moves into the output's bias.
/// </summary>
public sealed class Gla : IAttentionFamily
{
    const int Latents = 2;

    /// <inheritdoc/>
    public string Name => "GLA";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["gla"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("W_ukv_1.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.OfLatents("GLA-2", "two latents of 2 d and a rotary key of d / 2, as the paper's 256 for heads of 128", 2 * sizes.Width, 2, sizes.Width / 2),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, width, rotary) = (layer.HiddenSize, layer.Heads, layer.HeadWidth, layer.Config.Int("qk_rope_dim"));
        if (heads % Latents != 0) throw layer.Config.Wrong("num_attention_heads", $"{heads}", $"a multiple of {Latents} latents");
        var (latent, rank, readers) = (2 * width, 8 * width, heads / Latents);
        var down = layer.Linear("W_dKV", Latents * latent, hidden) with { Of = Latents * latent + rotary };
        var output = layer.Stored("o_proj.weight", hidden, heads * width);
        MadeMatrix bias = output.Times(MadeMatrix.Below(Ups("bias", 1).Select(up => up.Reshape(readers, 2 * width))
            .Select(up => new MadeMatrix.Part(up, 0, readers, width, width))).Reshape(heads * width, 1)).Transpose();
        if (layer.Has("o_proj.bias")) bias = new MadeMatrix.Sum(bias, layer.Stored("o_proj.bias", hidden));
        return new()
        {
            Streams =
            [
                new("latent", Projection.Of(down, new Step.Normalize(NormKind.RootMeanSquare, latent, layer.Epsilon, $"{layer.Prefix}kv_norm_{{0}}.weight")), latent, Latents),
                new("rotary", Projection.Of(down with { First = Latents * latent, Outputs = rotary }, layer.Rotate(rotary)), rotary),
            ],
            Branch = new(heads, Projection.Of(
                layer.Linear("W_dQ", rank, hidden), layer.Norm("q_norm", rank),
                layer.Linear("W_uQ_rope", heads * (width + rotary), rank), layer.Rotate(width + rotary, width)), "latent")
            {
                Rotary = "rotary",
                RotaryOffset = width,
                KeyMap = HeadMap.Of(Slices(0)),
                ValueMap = HeadMap.Of(Slices(width)),
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width + rotary),
                Output = Projection.Of(Step.Linear.From(output, bias)),
            },
            Rows = layer.Rows,
        };

        MadeMatrix[] Ups(string what, int columns) =>
            [.. Enumerable.Range(1, Latents).Select(n => layer.Stored($"W_ukv_{n}.{what}", columns == 1 ? [heads * width] : [heads * width, columns]))];
        IEnumerable<MadeMatrix> Slices(int offset) => Ups("weight", latent).SelectMany(
            up => Enumerable.Range(0, readers).Select(head => up.Take(head * 2 * width + offset, width)));
    }
}
