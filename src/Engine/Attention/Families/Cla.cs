using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Cross-layer attention (Brandon et al., arXiv 2405.12981) as Hunyuan has it: the first layer of a group makes keys and values, the
/// others read them. Keys are cached turned and divided by their norm; a layer's own factors on them go into its queries.
/// </summary>
public sealed class Cla : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "CLA";

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Config.Bool("use_cla", false);

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, groups, width, config) = (layer.HiddenSize, layer.Heads, layer.Groups, layer.HeadWidth, layer.Config);
        if (groups < 1 || heads % groups != 0) throw config.Wrong("num_key_value_heads", $"{groups}", $"a divisor of the {heads} query heads");
        var share = config.Int("cla_share_factor");
        if (share < 1) throw config.Wrong("cla_share_factor", $"{share}", "a positive number of layers");
        var normed = config.Bool("use_qk_norm", false);
        int? owner = layer.Layer % share == 0 ? null : layer.Layer - layer.Layer % share;
        return new()
        {
            Streams =
            [
                new("key", Projection.Of(
                    layer.Linear("k_proj", groups * width, hidden), layer.Rotate(width),
                    normed ? new Step.Normalize(NormKind.RootMeanSquare, width, layer.Epsilon, null) : null), width, groups) { OwnedBy = owner },
                new("value", Projection.Of(layer.Linear("v_proj", groups * width, hidden)), width, groups) { OwnedBy = owner },
            ],
            Branch = new(heads, Projection.Of(
                layer.Linear("q_proj", heads * width, hidden), layer.Rotate(width), normed ? layer.Norm("query_layernorm", width) : null,
                normed ? Step.Linear.From(new MadeMatrix.Diagonal(layer.Stored("key_layernorm.weight", width))) : null), "key")
            {
                Value = "value",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(layer.Linear("o_proj", hidden, heads * width)),
            },
            Rows = layer.Rows,
        };
    }
}
