using System.Collections.Immutable;

namespace Serving.Grammar.Expressions;

/// <summary>Ranges of characters as sequences of byte ranges: a range is cut where its UTF-8 grows longer and where its last bytes do not run from end to end.</summary>
static class Utf8Ranges
{
    static readonly int[] LastOfLength = [0x7F, 0x7FF, 0xFFFF, 0x10FFFF];

    public static IEnumerable<Expr> Of(int low, int high)
    {
        foreach (var last in LastOfLength)
        {
            if (low > high)
                yield break;
            if (low > last)
                continue;
            foreach (var part in SameLength(low, Math.Min(high, last), Array.IndexOf(LastOfLength, last) + 1))
                yield return part;
            low = last + 1;
        }
    }

    static IEnumerable<Expr> SameLength(int low, int high, int length)
    {
        for (var tail = 1; tail < length; tail++)
        {
            var mask = (1 << (6 * tail)) - 1;
            if ((low & ~mask) == (high & ~mask))
                continue;
            if ((low & mask) != 0)
                return SameLength(low, low | mask, length).Concat(SameLength((low | mask) + 1, high, length));
            if ((high & mask) != mask)
                return SameLength(low, (high & ~mask) - 1, length).Concat(SameLength(high & ~mask, high, length));
        }
        var (from, to) = (Bytes(low, length), Bytes(high, length));
        return [Expr.Of([.. from.Zip(to, Expr.Byte)])];
    }

    static byte[] Bytes(int character, int length)
    {
        if (length == 1)
            return [(byte)character];
        var bytes = new byte[length];
        for (var i = length - 1; i > 0; i--, character >>= 6)
            bytes[i] = (byte)(0x80 | character & 0x3F);
        bytes[0] = (byte)(0xF00 >> length & 0xFF | character);
        return bytes;
    }
}
