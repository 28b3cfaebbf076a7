using System.Numerics;
using System.Text.Json;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>
/// Arrays that hold no value twice. Of a few values in any order, by a rule for every set of values that came before; of more in the order in which
/// the schema lists them, by a rule for every value and for how many came before.
/// </summary>
sealed class UniqueItems(List<JsonElement> values, int min, int? max)
{
    /// <summary>Most values that may come in any order: each doubles the rules.</summary>
    const int MostInAnyOrder = 10;

    readonly string[] _values = [.. values.Where((value, i) => !values.Take(i).Any(other => JsonElement.DeepEquals(value, other))).Select(JsonText.Spell)];
    readonly Dictionary<(int, int), Definition> _known = [];

    public Expr ToExpr()
    {
        var items = _values.Length <= MostInAnyOrder ? After(0) : From(0, 0);
        return min > 0 ? JsonText.Filled("[", "]", items) : Expr.OneOf([Expr.Text("[]"), JsonText.Filled("[", "]", items)]);
    }

    /// <summary>The items that may follow a set of values.</summary>
    Expr After(int taken)
    {
        if (_known.TryGetValue((taken, 0), out var known))
            return known.Called();
        var rule = _known[(taken, 0)] = new($"items after {taken:b}");
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

    /// <summary>The items from a value on, when <paramref name="count"/> are there; more than matter are not told apart.</summary>
    Expr From(int index, int count)
    {
        if (count == max || index == _values.Length)
            return count > 0 && count >= min ? Expr.Empty : Expr.Nothing;
        if (_known.TryGetValue((index, count), out var known))
            return known.Called();
        var rule = _known[(index, count)] = new($"items from {index} after {count}");
        var next = max is null ? Math.Min(count + 1, Math.Max(1, min)) : count + 1;
        rule.Body = Expr.OneOf([
            Expr.Of(count == 0 ? Expr.Empty : JsonText.Comma, Expr.Text(_values[index]), From(index + 1, next)),
            From(index + 1, count)]);
        return rule.Called();
    }
}
