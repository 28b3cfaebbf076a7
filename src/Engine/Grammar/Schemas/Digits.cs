using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>Digits between bounds.</summary>
static class Digits
{
    /// <summary>Numbers of as many digits as both bounds have, from one to the other.</summary>
    public static Expr SameLength(string low, string high)
    {
        if (low.All(digit => digit == '0') && high.All(digit => digit == '9'))
            return Expr.Times(JsonText.Digit('0', '9'), low.Length, low.Length);
        if (low[0] == high[0])
            return Expr.Of(Expr.Text(low[..1]), SameLength(low[1..], high[1..]));
        var rest = low.Length - 1;
        var ways = new List<Expr>
        {
            Expr.Of(Expr.Text(low[..1]), SameLength(low[1..], new string('9', rest))),
            Expr.Of(Expr.Text(high[..1]), SameLength(new string('0', rest), high[1..])),
        };
        if (high[0] - low[0] > 1)
            ways.Add(Expr.Of(JsonText.Digit((char)(low[0] + 1), (char)(high[0] - 1)), Expr.Times(JsonText.Digit('0', '9'), rest, rest)));
        return Expr.OneOf(ways);
    }

    /// <summary>A fraction with its point, or none, that is not below <paramref name="low"/> and not above <paramref name="high"/>, or has no upper bound.</summary>
    public static Expr Fraction(string low, bool aboveLow, string? high, bool belowHigh)
    {
        var bounds = new FractionBounds(low, aboveLow, high, belowHigh);
        return Expr.OneOf([
            .. bounds.MayStop(0, true, high is not null) ? (Expr[])[Expr.Empty] : [],
            Expr.Of(Expr.Text("."), bounds.Next(0, true, high is not null))]);
    }

    /// <summary>The digits one by one: a rule for each place, and for whether all before were the lower or the upper bound's own.</summary>
    sealed class FractionBounds(string low, bool aboveLow, string? high, bool belowHigh)
    {
        readonly Dictionary<(int, bool, bool), Definition> _known = [];

        public bool MayStop(int place, bool onLow, bool onHigh)
        {
            var equalLow = onLow && place >= low.Length;
            var equalHigh = onHigh && place >= high!.Length;
            return !(onLow && place < low.Length) && !(equalLow && aboveLow) && !(equalHigh && belowHigh);
        }

        public Expr Next(int place, bool onLow, bool onHigh)
        {
            if (_known.TryGetValue((place, onLow, onHigh), out var known))
                return known.Called();
            var rule = _known[(place, onLow, onHigh)] = new($"digit {place + 1}");
            var ways = new List<Expr>();
            if (place < JsonText.FractionDigits)
                for (var digit = '0'; digit <= '9'; digit++)
                {
                    var (least, most) = (Digit(low, place), Digit(high ?? "", place));
                    if ((onLow && digit < least) || (onHigh && digit > most))
                        continue;
                    var (stillLow, stillHigh) = (onLow && digit == least, onHigh && digit == most);
                    var rest = Next(place + 1, stillLow, stillHigh);
                    ways.Add(Expr.Of(JsonText.Digit(digit, digit), MayStop(place + 1, stillLow, stillHigh) ? rest.OrEmpty() : rest));
                }
            rule.Body = Expr.OneOf(ways);
            return rule.Called();
        }

        static char Digit(string digits, int place) => place < digits.Length ? digits[place] : '0';
    }
}
