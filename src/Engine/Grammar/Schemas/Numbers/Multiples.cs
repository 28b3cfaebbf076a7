using System.Collections.Immutable;
using Serving.Grammar.Automata;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>
/// Decimals that a step divides, without exponents: long division, digit by digit, remembers the remainder, and after the point how many digits it
/// has read.
/// </summary>
static class Multiples
{
    /// <summary>Largest step, and finest fraction, in units of the last place: so many remainders.</summary>
    public const int MostRemainders = 1000, MostDigits = 6;

    /// <summary>The multiples of a step that is above 0; null where it has too many remainders. The zeros at its end are no remainders: they are read as they are.</summary>
    public static RegularSet? Of(decimal step, GrammarLimits limits)
    {
        var zeros = 0;
        for (; step >= 10 && step % 10 == 0; zeros++)
            step /= 10;
        if (zeros > 0)
            return Of(step, limits) is { } parts
                ? RegularSet.Of(Expr.OneOf([Expr.Of(parts.ToExpr(), Expr.Text(new string('0', zeros))), Expr.Text("0")]), limits) : null;
        var places = 0;
        for (; step != decimal.Truncate(step) && places <= MostDigits; places++)
            step *= 10;
        return step is > 0 and <= MostRemainders && places <= MostDigits ? RegularSet.Of(Divided((int)step, places), limits) : null;
    }

    /// <summary>By nodes: the start, what follows the sign, a zero that has no more digits before the point, and remainders by places read.</summary>
    static Expr.Graph Divided(int step, int places)
    {
        const int Sign = 1, Zero = 2, Point = 3;
        var nodes = ImmutableArray.CreateBuilder<Expr.Node>();
        var begin = Enumerable.Range('0', 10).Select(digit => ((byte)digit, (byte)digit, digit == '0' ? Zero : At(0, (digit - '0') % step))).ToList();
        nodes.Add(new(false, [((byte)'-', (byte)'-', Sign), .. begin]));
        nodes.Add(new(false, [.. begin]));
        nodes.Add(new(true, places == 0 ? [] : [((byte)'.', (byte)'.', Point)]));
        nodes.Add(new(false, places == 0 ? [] : [.. Digits(0, 0)]));
        for (var read = 0; read <= places; read++)
            for (var remainder = 0; remainder < step; remainder++)
                nodes.Add(new(Whole(read, remainder), [.. read == 0 && places > 0 ? [((byte)'.', (byte)'.', Dot(remainder))] : Nothing, .. read == 0 ? Further(remainder) : read < places ? Digits(read, remainder) : Nothing]));
        for (var remainder = 0; remainder < step; remainder++)
            nodes.Add(new(false, places == 0 ? [] : [.. Digits(0, remainder)]));
        return new(nodes.DrainToImmutable());

        int At(int read, int remainder) => 4 + read * step + remainder;

        int Dot(int remainder) => 4 + (places + 1) * step + remainder;

        IEnumerable<(byte, byte, int)> Digits(int read, int remainder) =>
            Enumerable.Range(0, 10).Select(digit => ((byte)('0' + digit), (byte)('0' + digit), At(read + 1, (remainder * 10 + digit) % step)));

        IEnumerable<(byte, byte, int)> Further(int remainder) =>
            Enumerable.Range(0, 10).Select(digit => ((byte)('0' + digit), (byte)('0' + digit), At(0, (remainder * 10 + digit) % step)));

        // The digits that were not written are zeros.
        bool Whole(int read, int remainder)
        {
            for (var missing = read; missing < places; missing++)
                remainder = remainder * 10 % step;
            return remainder == 0;
        }
    }

    static IEnumerable<(byte, byte, int)> Nothing => [];
}
