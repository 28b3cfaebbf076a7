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
    public static Expr Fraction(string low, bool aboveLow, string? high, bool belowHigh) => new FractionBounds(low, aboveLow, high, belowHigh).ToExpr();

    /// <summary>The digits one by one: a node for each place, and for whether all before were the lower or the upper bound's own.</summary>
    sealed class FractionBounds(string low, bool aboveLow, string? high, bool belowHigh)
    {
        readonly Dictionary<(int, bool, bool), int> _numbers = [];
        readonly Queue<(int Place, bool OnLow, bool OnHigh)> _open = [];

        public Expr.Graph ToExpr()
        {
            var start = (0, true, high is not null);
            List<Expr.Node> nodes = [new(MayStop(start), [((byte)'.', (byte)'.', NumberOf(start))])];
            while (_open.TryDequeue(out var node))
                nodes.Add(new(node.Place > 0 && MayStop(node), [.. Ways(node)]));
            return new Expr.Graph([.. nodes]);
        }

        bool MayStop((int Place, bool OnLow, bool OnHigh) node)
        {
            var equalLow = node.OnLow && node.Place >= low.Length;
            var equalHigh = node.OnHigh && node.Place >= high!.Length;
            return !(node.OnLow && node.Place < low.Length) && !(equalLow && aboveLow) && !(equalHigh && belowHigh);
        }

        IEnumerable<(byte, byte, int)> Ways((int Place, bool OnLow, bool OnHigh) node)
        {
            var (least, most) = (Digit(low, node.Place), Digit(high ?? "", node.Place));
            for (var digit = '0'; digit <= '9' && node.Place < JsonText.FractionDigits; digit++)
                if (!(node.OnLow && digit < least) && !(node.OnHigh && digit > most))
                    yield return ((byte)digit, (byte)digit, NumberOf((node.Place + 1, node.OnLow && digit == least, node.OnHigh && digit == most)));
        }

        int NumberOf((int, bool, bool) node)
        {
            if (!_numbers.TryGetValue(node, out var number))
            {
                _numbers[node] = number = _numbers.Count + 1;
                _open.Enqueue(node);
            }
            return number;
        }

        static char Digit(string digits, int place) => place < digits.Length ? digits[place] : '0';
    }
}
