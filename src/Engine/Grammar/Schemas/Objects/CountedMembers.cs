using System.Collections.Immutable;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>
/// The members of an object between a least and a greatest number: a rule for each member and for how many came before. Members that the schema
/// does not name may share a name, so all of them count as one towards the least number.
/// </summary>
/// <param name="named">Members in their order, and whether they must be there.</param>
/// <param name="other">A member that the schema does not name; null where there may be none.</param>
/// <param name="min">Fewest members.</param>
/// <param name="max">Most members; null for no limit.</param>
sealed class CountedMembers(ImmutableArray<(Expr Member, bool IsRequired)> named, Expr? other, int min, int? max)
{
    readonly Dictionary<(int, int), Definition> _known = [];

    public Expr ToExpr()
    {
        var members = After(0, 0);
        return min > 0 || named.Any(member => member.IsRequired) ? JsonText.Filled("{", "}", members)
            : max == 0 ? Expr.OneOf([Expr.Text("{}"), Expr.Text("{ }")])
            : Expr.OneOf([Expr.Text("{}"), JsonText.Filled("{", "}", members)]);
    }

    /// <summary>The members from one on, when <paramref name="count"/> are there.</summary>
    Expr After(int index, int count)
    {
        if (_known.TryGetValue((index, count), out var known))
            return known.Called();
        var rule = _known[(index, count)] = new($"members from {index + 1} after {count}");
        var ways = new List<Expr>();
        var next = index;
        for (; next < named.Length && count < (max ?? int.MaxValue); next++)
        {
            ways.Add(Expr.Of(count == 0 ? Expr.Empty : JsonText.Comma, named[next].Member, After(next + 1, count + 1)));
            if (named[next].IsRequired)
                break;
        }
        if (!named.Skip(index).Any(member => member.IsRequired))
            ways.Add(Last(count));
        rule.Body = Expr.OneOf(ways);
        return rule.Called();
    }

    /// <summary>What may follow when no named member comes any more.</summary>
    Expr Last(int count)
    {
        var room = (max - count) ?? int.MaxValue;
        if (other is null || room == 0)
            return count >= min && count > 0 ? Expr.Empty : Expr.Nothing;
        var listed = Expr.Of(count == 0 ? Expr.Empty : JsonText.Comma, JsonText.Listed(other, 0, max is null ? null : room - 1));
        return count >= min ? count == 0 ? listed : listed.OrEmpty() : count + 1 >= min ? listed : Expr.Nothing;
    }
}
