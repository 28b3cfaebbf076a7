using System.Numerics;
using System.Text.Json;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>Arrays that hold no value twice, of a few values: a rule for every set of values that came before.</summary>
sealed class UniqueItems(List<JsonElement> values, int min, int? max)
{
    /// <summary>Most values: each doubles the rules.</summary>
    public const int Most = 10;

    readonly string[] _values = [.. values.Where((value, i) => !values.Take(i).Any(other => JsonElement.DeepEquals(value, other))).Select(JsonText.Spell)];
    readonly Dictionary<int, Definition> _known = [];

    public Expr ToExpr()
    {
        var items = After(0);
        return min > 0 ? JsonText.Filled("[", "]", items) : Expr.OneOf([Expr.Text("[]"), JsonText.Filled("[", "]", items)]);
    }

    Expr After(int taken)
    {
        if (_known.TryGetValue(taken, out var known))
            return known.Called();
        var rule = _known[taken] = new($"items after {taken:b}");
        var count = BitOperations.PopCount((uint)taken);
        var ways = new List<Expr>();
        for (var i = 0; i < _values.Length && count < (max ?? int.MaxValue); i++)
            if ((taken >> i & 1) == 0)
                ways.Add(Expr.Of(count == 0 ? Expr.Empty : JsonText.Comma, Expr.Text(_values[i]), After(taken | 1 << i)));
        if (count > 0 && count >= min)
            ways.Add(Expr.Empty);
        rule.Body = Expr.OneOf(ways);
        return rule.Called();
    }
}
