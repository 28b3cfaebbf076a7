using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// MHA2MLA (Ji et al., arXiv 2502.14837): a model whose keys turn in a few frequency pairs of their own a key head; the rest of keys and
/// all values come from latents. A token leaves the turning parts of all key heads as one row; a head's query is zero on the others.
/// </summary>
public sealed class Mha2Mla : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "MHA2MLA";

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("k_r_proj.weight") && !Mha2MlaVlm.IsByModality(layer);

    /// <summary>Query and key heads, values of a head, those of them that turn, and values of the latent.</summary>
    internal readonly record struct Sizes(int Heads, int Groups, int Width, int Rotary, int Rank)
    {
        public int Content => Width - Rotary;
        public int Turned => Groups * Rotary;
        public int GroupOf(int head) => head / (Heads / Groups);
    }

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.OfLatents("MHA2MLA", $"a latent of d / 2 and a rotary key of d / 8 for each of {sizes.Groups} key heads", sizes.Groups * sizes.Width / 2, 1, sizes.Groups * sizes.Width / 8),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, keys) = (layer.HiddenSize, layer.Config.Object("mha2mla"));
        keys.Ignore("is_baseline", "is_gqa2mha2mla");
        var size = Checked(layer, keys);
        var joint = keys.OneOf("svd_init_method", "joint", "split") == "joint";
        layer.Tensors.Ignore($"{layer.Prefix}kv_proj.up_k.bias", "it adds the same to all scores of a head");
        var output = layer.Stored("o_proj.weight", hidden, size.Heads * size.Width);
        var bias = layer.Has("kv_proj.up_v.bias")
            ? output.Times(MadeMatrix.Below(ByHead(layer.Stored("kv_proj.up_v.bias", size.Groups * size.Width).Transpose(), size, size.Width))).Transpose()
            : null;
        var pairs = KeptPairs.Of(layer, keys, size.Groups, size.Width, size.Rotary / 2);
        Step.Rotate[] Turns(int offset) =>
            [.. pairs.Select((plan, group) => new Step.Rotate(plan, offset + size.Turned, offset + group * size.Rotary))];
        HeadMap Map(string name, int rows) => HeadMap.Of(ByHead(layer.Stored(name, size.Groups * rows, size.Rank), size, rows));
        return new()
        {
            Streams =
            [
                new("latent", Projection.Of(layer.Linear(joint ? "kv_proj.down_kv" : "kv_proj.down_k", size.Rank, hidden)), size.Rank),
                new("rotary", Projection.Of([layer.Linear("k_r_proj", size.Turned, hidden), .. Turns(0)]), size.Turned),
                .. joint ? [] : (CachedStream[])[new("value", Projection.Of(layer.Linear("kv_proj.down_v", size.Rank, hidden)), size.Rank)],
            ],
            Branch = new(size.Heads, Projection.Of([Query(layer, size), Place(size), .. Turns(size.Content)]), "latent")
            {
                Rotary = "rotary",
                RotaryOffset = size.Content,
                Value = joint ? null : "value",
                KeyMap = Map("kv_proj.up_k.weight", size.Content),
                ValueMap = Map("kv_proj.up_v.weight", size.Width),
                Scale = layer.Scale ?? 1 / MathF.Sqrt(size.Width),
                Output = Projection.Of(Step.Linear.From(output, bias)),
            },
            Rows = layer.Rows,
        };
    }

    internal static Sizes Checked(AttentionContext layer, ModelConfig keys)
    {
        var (heads, groups, width, rotary, rank) = (layer.Heads, layer.Groups, layer.HeadWidth, keys.Int("rope_dim_for_mla"), keys.Int("low_rank"));
        if (groups < 1 || heads % groups != 0) throw layer.Config.Wrong("num_key_value_heads", $"{groups}", $"a divisor of the {heads} query heads");
        if (rotary < 2 || rotary % 2 != 0 || rotary >= width) throw keys.Wrong("rope_dim_for_mla", $"{rotary}", $"an even number below {width}");
        return rank is > 0 and < 1 << 14 ? new(heads, groups, width, rotary, groups * rank) : throw keys.Wrong("low_rank", $"{rank}", "a positive rank");
    }

    /// <summary>Stored are the turning rows of all heads, then the others; a head's vector is its others, then its turning ones.</summary>
    internal static Step.Linear Query(AttentionContext layer, Sizes size)
    {
        var (heads, rotary, content) = (size.Heads, size.Rotary, size.Content);
        MadeMatrix Sorted(MadeMatrix all) => MadeMatrix.Below(Enumerable.Range(0, heads).SelectMany(head =>
            (MadeMatrix[])[all.Take(heads * rotary + head * content, content), all.Take(head * rotary, rotary)]));
        return Step.Linear.From(
            Sorted(layer.Stored("q_proj.weight", heads * size.Width, layer.HiddenSize)),
            layer.Has("q_proj.bias") ? Sorted(layer.Stored("q_proj.bias", heads * size.Width).Transpose()).Transpose() : null);
    }

    /// <summary>Moves the turning part of a head to where its group's lies in the cached row; the rest of that is zero.</summary>
    internal static Step.LinearByHead Place(Sizes size)
    {
        var one = new MadeMatrix.Identity(size.Width);
        return new([.. Enumerable.Range(0, size.Heads).Select(size.GroupOf).Select(group => MadeMatrix.Below(
        [
            one.Take(0, size.Content), new MadeMatrix.Zero(group * size.Rotary, size.Width),
            one.Take(size.Content, size.Rotary), new MadeMatrix.Zero((size.Groups - 1 - group) * size.Rotary, size.Width),
        ]))]);
    }

    internal static IEnumerable<MadeMatrix> ByHead(MadeMatrix all, Sizes size, int rows) =>
        Enumerable.Range(0, size.Heads).Select(head => all.Take(size.GroupOf(head) * rows, rows));
}
