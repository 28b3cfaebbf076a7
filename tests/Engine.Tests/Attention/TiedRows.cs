using System.Collections.Immutable;
using Serving.Attention;
using Serving.Attention.Families;
using Serving.Model;

namespace Serving.Tests;

/// <summary>
/// An invented scheme, the example of docs/adding-a-scheme.md: a token leaves one row for each group of heads, which is the value as it lies
/// there, and the key once it has turned by its position.
/// </summary>
public sealed class TiedRows : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "tied rows";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["tied_rows"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("row_proj.weight");

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, groups, width) = (layer.HiddenSize, layer.Heads, layer.Groups, layer.HeadWidth);
        if (groups < 1 || heads % groups != 0)
            throw layer.Config.Wrong("num_key_value_heads", $"{groups}", $"a divisor of the {heads} query heads");
        return new()
        {
            Streams = [new("row", Projection.Of(layer.Linear("row_proj", groups * width, hidden)), width, groups)],
            Branch = new(heads, Projection.Of(layer.Linear("q_proj", heads * width, hidden), layer.Rotate(width)), "row")
            {
                Turn = layer.Rotate(width)?.Rotary,
                Scale = 1 / MathF.Sqrt(width),
                Output = Projection.Of(layer.Linear("o_proj", hidden, heads * width)),
            },
            Rows = layer.Rows,
        };
    }
}
