using System.Globalization;
using System.Text.Json;
using Serving.Grammar.Automata;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>A bound of numbers.</summary>
readonly record struct Bound(decimal Value, bool IsExclusive);

/// <summary>Numbers and integers, within bounds where a schema has some; those with bounds are written without exponents.</summary>
static class NumberSchema
{
    static readonly string[] Keywords = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];

    const decimal Largest = 999_999_999_999_999_999m;

    /// <param name="places">What holds for the numbers.</param>
    /// <param name="integers">Whether they are integers.</param>
    /// <param name="excluded">Numbers that may not be: the others lie below, between and above them.</param>
    /// <param name="limits">How large an automaton may be.</param>
    public static Expr Of(List<SchemaPlace> places, bool integers, IReadOnlyList<decimal> excluded, GrammarLimits limits)
    {
        List<Bound?> gaps = [null, .. excluded.Distinct().Order().Select(number => (Bound?)new Bound(number, true)), null];
        return Expr.OneOf(gaps.Zip(gaps.Skip(1)).Select(gap => Between(places, integers, gap.First, gap.Second, limits)));
    }

    static Expr Between(List<SchemaPlace> places, bool integers, Bound? above, Bound? below, GrammarLimits limits)
    {
        var steps = places.Where(place => place.Json.TryGetProperty("multipleOf", out _)).Select(place => (Place: place, Step: Step(place))).Where(pair => !integers || pair.Step != 1).ToList();
        var low = Given(above, places, "minimum", "exclusiveMinimum").OrderByDescending(b => b.Value).ThenByDescending(b => b.IsExclusive).Select(b => (Bound?)b).FirstOrDefault();
        var high = Given(below, places, "maximum", "exclusiveMaximum").OrderBy(b => b.Value).ThenByDescending(b => b.IsExclusive).Select(b => (Bound?)b).FirstOrDefault();
        if (low is { Value: <= -Largest })
            low = null;
        if (high is { Value: >= Largest })
            high = null;
        integers |= steps.Exists(pair => decimal.IsInteger(pair.Step));
        var bounded = low is null && high is null ? (integers ? JsonText.Integer : JsonText.Number).Called()
            : integers ? Integers(Up(low) ?? -Largest, Down(high) ?? Largest)
            : Numbers(low ?? new(-Largest, false), high ?? new(Largest, false));
        steps.RemoveAll(pair => pair.Step == 1);
        if (steps.Count > 0 && low is { } least && high is { } greatest && (greatest.Value - least.Value) / steps[0].Step <= Multiples.MostRemainders)
            return Expr.OneOf(Listed(least, greatest, [.. steps.Select(pair => pair.Step)], integers).Select(number => Expr.Text(Spell(number))));
        return steps.Count == 0 ? bounded
            : steps.Select(pair => Multiples.Of(pair.Step, limits) ?? throw pair.Place.Unsupported($"multipleOf with more than {Multiples.MostRemainders} remainders"))
                .Aggregate(RegularSet.Of(bounded, limits), (all, multiples) => all.And(multiples)).ToExpr();
    }

    /// <summary>Whether a number is one of them.</summary>
    public static bool Holds(List<SchemaPlace> places, JsonElement value)
    {
        if (!places.Exists(place => Array.Exists(Keywords, keyword => place.Json.TryGetProperty(keyword, out _))))
            return true;
        var number = value.TryGetDecimal(out var given) ? given : throw new GrammarException($"The number {value.GetRawText()} has too many digits to be compared with bounds.");
        return places.SelectMany(place => Bounds(place, "minimum", "exclusiveMinimum")).All(low => number > low.Value || number == low.Value && !low.IsExclusive)
            && places.SelectMany(place => Bounds(place, "maximum", "exclusiveMaximum")).All(high => number < high.Value || number == high.Value && !high.IsExclusive)
            && places.TrueForAll(place => !place.Json.TryGetProperty("multipleOf", out _) || number % Step(place) == 0);
    }

    static IEnumerable<Bound> Given(Bound? further, List<SchemaPlace> places, string keyword, string exclusive) =>
        places.SelectMany(place => Bounds(place, keyword, exclusive)).Concat(further is { } bound ? [bound] : []);

    /// <summary>The few numbers between two bounds that all steps divide.</summary>
    static IEnumerable<decimal> Listed(Bound low, Bound high, decimal[] steps, bool integers)
    {
        for (var times = decimal.Ceiling(low.Value / steps[0]); times * steps[0] is var number && number <= high.Value; times++)
            if (!(low.IsExclusive && number == low.Value) && !(high.IsExclusive && number == high.Value)
                && Array.TrueForAll(steps, step => number % step == 0) && (!integers || decimal.IsInteger(number)))
                yield return number;
    }

    static string Spell(decimal number) => number.ToString("0.############################", CultureInfo.InvariantCulture);

    static decimal Step(SchemaPlace place) =>
        Number(place, "multipleOf", place.Json.GetProperty("multipleOf")) is > 0 and var step ? step : throw place.Wrong("multipleOf", "a number above 0");

    static IEnumerable<Bound> Bounds(SchemaPlace place, string keyword, string exclusive)
    {
        var isExclusive = false;
        if (place.Json.TryGetProperty(exclusive, out var strict))
        {
            // The draft of 2013 has a flag here that makes the other bound strict.
            if (strict.ValueKind is JsonValueKind.True or JsonValueKind.False)
                isExclusive = strict.ValueKind == JsonValueKind.True;
            else
                yield return new(Number(place, exclusive, strict), true);
        }
        if (place.Json.TryGetProperty(keyword, out var bound))
            yield return new(Number(place, keyword, bound), isExclusive);
    }

    static decimal Number(SchemaPlace place, string keyword, JsonElement bound)
    {
        if (bound.ValueKind != JsonValueKind.Number)
            throw place.Wrong(keyword, "a number");
        return bound.TryGetDecimal(out var number) ? number
            : bound.GetDouble() is var large && Math.Abs(large) > 1e18 ? large > 0 ? decimal.MaxValue : decimal.MinValue
            : throw place.Unsupported($"{keyword} with so many digits");
    }

    static decimal? Up(Bound? bound) => bound is not { } low ? null
        : low.IsExclusive ? decimal.Floor(low.Value) + 1 : decimal.Ceiling(low.Value);

    static decimal? Down(Bound? bound) => bound is not { } high ? null
        : high.IsExclusive ? decimal.Ceiling(high.Value) - 1 : decimal.Floor(high.Value);

    static Expr Integers(decimal low, decimal high) => Expr.OneOf([
        Natural(Math.Max(low, 0), high),
        Expr.Of(Expr.Text("-"), Natural(Math.Max(-high, 1), -low))]);

    /// <summary>Integers that are not negative, split by their number of digits.</summary>
    static Expr Natural(decimal low, decimal high)
    {
        var lengths = new List<Expr>();
        for (decimal first = 0, next = 10; low <= high && first <= high; first = next, next *= 10)
        {
            var (from, to) = (Math.Max(low, first), Math.Min(high, next - 1));
            if (from <= to && next <= Largest + 1)
                lengths.Add(Digits.SameLength(Text(from), Text(to)));
        }
        return Expr.OneOf(lengths);
    }

    static Expr Numbers(Bound low, Bound high)
    {
        var ways = new List<Expr>();
        if (high.Value >= 0)
            ways.Add(Positive(low.Value < 0 ? new(0, false) : low, high));
        if (low.Value < 0)
            ways.Add(Expr.Of(Expr.Text("-"), Positive(high.Value >= 0 ? new(0, true) : new(-high.Value, high.IsExclusive), new(-low.Value, low.IsExclusive))));
        return Expr.OneOf(ways);
    }

    /// <summary>Decimals between two bounds that are not negative: by the whole part, then by the digits after the point.</summary>
    static Expr Positive(Bound low, Bound high)
    {
        var (first, last) = (decimal.Floor(low.Value), decimal.Floor(high.Value));
        if (low.Value > high.Value || low.Value == high.Value && (low.IsExclusive || high.IsExclusive))
            return Expr.Nothing;
        if (first == last)
            return Expr.Of(Expr.Text(Text(first)), Digits.Fraction(Fraction(low), low.IsExclusive, Fraction(high), high.IsExclusive));
        return Expr.OneOf([
            Expr.Of(Expr.Text(Text(first)), Digits.Fraction(Fraction(low), low.IsExclusive, null, false)),
            Expr.Of(Natural(first + 1, last - 1), Digits.Fraction("", false, null, false)),
            Expr.Of(Expr.Text(Text(last)), Digits.Fraction("", false, Fraction(high), high.IsExclusive))]);
    }

    static string Fraction(Bound bound)
    {
        var text = bound.Value.ToString(CultureInfo.InvariantCulture);
        var point = text.IndexOf('.');
        return point < 0 ? "" : text[(point + 1)..].TrimEnd('0');
    }

    static string Text(decimal whole) => decimal.Truncate(whole).ToString("0", CultureInfo.InvariantCulture);
}
