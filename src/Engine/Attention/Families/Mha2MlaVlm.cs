using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// MHA2MLA-VLM (Fan et al., arXiv 2601.11464): MHA2MLA with two latents, one for the tokens of images and one for all others. Each has maps
/// of its own, so a row is read as its class says; biases of keys differ by class and do not cancel.
/// </summary>
public sealed class Mha2MlaVlm : IAttentionFamily
{
    static readonly string[] Kinds = ["kv_proj_text", "kv_proj_img"];

    /// <inheritdoc/>
    public string Name => "MHA2MLA-VLM";

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("k_r_proj.weight") && IsByModality(layer);

    /// <summary>Whether the layer has a latent for the tokens of images.</summary>
    public static bool IsByModality(AttentionContext layer) => layer.Has($"{Kinds[1]}.down_kv.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.OfLatents("MHA2MLA-VLM", $"a latent of d / 2 and a rotary key of d / 4 for each of {sizes.Groups} key heads", sizes.Groups * sizes.Width / 2, 1, sizes.Groups * sizes.Width / 4),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, keys) = (layer.HiddenSize, layer.Config.Object("mha2mla"));
        keys.Ignore("is_baseline", "is_gqa2mha2mla");
        keys.OneOf("svd_init_method", "joint");
        if (layer.ImageIds.IsEmpty) throw layer.Config.Wrong("image_token_ids", "missing", "the ids of tokens that are parts of images");
        var size = Mha2Mla.Checked(layer, keys);
        var turns = KeptPairs.Of(layer, keys, size.Groups, size.Width, size.Rotary / 2);
        return new()
        {
            Streams =
            [
                new("latent", Projection.Of(new Step.Sum([.. Kinds.Select(kind => Projection.Of(layer.Linear($"{kind}.down_kv", size.Rank, hidden)))])
                {
                    Weights = Projection.Of(new Step.IsOneOf(layer.ImageIds), OneOrOther()),
                }), size.Rank),
                new("rotary", Projection.Of([layer.Linear("k_r_proj", size.Turned, hidden), .. Turns(0)]), size.Turned),
                CachedStream.Classes(layer.Layer, layer.ImageIds),
            ],
            Branch = new(size.Heads, Projection.Of([Mha2Mla.Query(layer, size), Mha2Mla.Place(size), .. Turns(size.Content)]), "latent")
            {
                Rotary = "rotary",
                RotaryOffset = size.Content,
                Classes = new("class", Kinds.Length),
                KeyMap = Map(layer, size, "up_k", size.Content),
                ValueMap = Map(layer, size, "up_v", size.Width),
                Scale = layer.Scale ?? 1 / MathF.Sqrt(size.Width),
                Output = Projection.Of(layer.Linear("o_proj", hidden, size.Heads * size.Width)),
            },
            Rows = layer.Rows,
        };

        Step.Rotate[] Turns(int offset) =>
            [.. turns.Select((plan, group) => new Step.Rotate(plan, offset + size.Turned, offset + group * size.Rotary))];
    }

    /// <summary>From 0 or 1 to the weights of the first and the second of two.</summary>
    static Step.Linear OneOrOther() =>
        Step.Linear.From(new MadeMatrix.Given(2, 1, static (row, _) => 2 * row - 1), new MadeMatrix.Given(1, 2, static (_, column) => 1 - column));

    /// <summary>For each head the matrices of all kinds side by side, each with its bias behind it.</summary>
    static HeadMap Map(AttentionContext layer, Mha2Mla.Sizes size, string name, int rows)
    {
        MadeMatrix[] stacks = [.. Kinds.SelectMany(kind => (MadeMatrix[])
        [
            layer.Stored($"{kind}.{name}.weight", size.Groups * rows, size.Rank).Transpose(),
            layer.Has($"{kind}.{name}.bias") ? layer.Stored($"{kind}.{name}.bias", size.Groups * rows) : new MadeMatrix.Zero(1, size.Groups * rows),
        ])];
        return HeadMap.Of(Mha2Mla.ByHead(MadeMatrix.Below(stacks).Transpose(), size, rows));
    }
}
