using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Multi-head attention and its grouped forms: every token leaves a key and a value for each of G groups, and H / G query heads read
/// one group. G = H is MHA, G = 1 MQA (Shazeer, arXiv 1911.02150), between them GQA (Ainslie et al., arXiv 2305.13245).
/// </summary>
public sealed class Mha : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "MHA/GQA/MQA";

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) =>
        layer.Has("q_proj.weight") && layer.Has("k_proj.weight") && layer.Has("v_proj.weight") && !layer.Has("wq.weight");

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, groups, width) = (layer.HiddenSize, layer.Heads, layer.Groups, layer.HeadWidth);
        if (groups < 1 || heads % groups != 0)
            throw layer.Config.Wrong("num_key_value_heads", $"{groups}", $"a divisor of num_attention_heads = {heads}");
        return new()
        {
            Streams =
            [
                new("key", Projection.Of(layer.Linear("k_proj", groups * width, hidden), layer.Norm("k_norm", width), layer.Rotate(width)), width, groups),
                new("value", Projection.Of(layer.Linear("v_proj", groups * width, hidden)), width, groups),
            ],
            Branch = new(heads, Projection.Of(layer.Linear("q_proj", heads * width, hidden), layer.Norm("q_norm", width), layer.Rotate(width)), "key")
            {
                Value = "value",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(layer.Linear("o_proj", hidden, heads * width)),
            },
            Rows = layer.Rows,
        };
    }
}
