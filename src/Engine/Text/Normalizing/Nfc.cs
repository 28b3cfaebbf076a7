using System.Text;

namespace Serving.Text;

/// <summary>Unicode's composed form. The runtime's own needs ICU, which the server goes without, and throws on code points that are not assigned; here they pass.</summary>
sealed class Nfc : Rewriter
{
    readonly record struct Unit(int CodePoint, byte Class, bool Literal);

    public override void Apply(MarkedText input, MarkedBuffer output, bool atStart)
    {
        var done = 0;
        for (int at = 0, previous = 0, length; at < input.Text.Length; at += length)
        {
            if (NfcData.StaysAlone(Read(input.Text, at, out length)))
            {
                previous = at;
                continue;
            }
            // What changes reaches from the character before to the next that stays alone.
            var end = at + length;
            while (end < input.Text.Length && !NfcData.StaysAlone(Read(input.Text, end, out var next)))
                end += next;
            output.Append(input[done..previous]);
            Rewrite(input[previous..end], output);
            (done, previous, length) = (end, end, end - at);
        }
        output.Append(input[done..]);
    }

    static void Rewrite(MarkedText input, MarkedBuffer output)
    {
        var units = new List<Unit>(input.Text.Length);
        for (int at = 0, length; at < input.Text.Length; at += length)
            Decompose(Read(input.Text, at, out length), input.Literal.Slice(at, length).Contains(true), units);
        Reorder(units);
        Span<char> characters = stackalloc char[2];
        foreach (var unit in Compose(units))
            output.Append(characters[..Write(unit.CodePoint, characters)], unit.Literal);
    }

    // Half a surrogate pair is passed on as it is.
    static int Read(ReadOnlySpan<char> text, int at, out int length)
    {
        var paired = char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]);
        length = paired ? 2 : 1;
        return paired ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at];
    }

    static int Write(int codePoint, Span<char> characters)
    {
        if (Rune.IsValid(codePoint))
            return new Rune(codePoint).EncodeToUtf16(characters);
        characters[0] = (char)codePoint;
        return 1;
    }

    static void Decompose(int codePoint, bool literal, List<Unit> units)
    {
        if (Hangul.IsSyllable(codePoint))
        {
            foreach (var part in Hangul.Decompose(codePoint))
                if (part > 0)
                    units.Add(new(part, 0, literal));
        }
        else if (NfcData.Mapping(codePoint) is var (first, second))
        {
            Decompose(first, literal, units);
            if (second != 0)
                Decompose(second, literal, units);
        }
        else
            units.Add(new(codePoint, NfcData.Class(codePoint), literal));
    }

    static void Reorder(List<Unit> units)
    {
        for (var start = 0; start < units.Count; start++)
        {
            var end = start;
            while (end < units.Count && units[end].Class != 0)
                end++;
            if (end - start > 1)
            {
                var sorted = units.Slice(start, end - start).OrderBy(unit => unit.Class).ToList();
                for (var i = 0; i < sorted.Count; i++)
                    units[start + i] = sorted[i];
            }
            start = end;
        }
    }

    static List<Unit> Compose(List<Unit> units)
    {
        var composed = new List<Unit>(units.Count);
        var starter = -1;
        foreach (var unit in units)
        {
            var last = composed.Count - 1;
            var adjacent = starter == last;
            if (starter >= 0 && (adjacent || composed[last].Class != 0 && composed[last].Class < unit.Class)
                && Pair(composed[starter].CodePoint, unit.CodePoint) is { } pair)
            {
                composed[starter] = new(pair, 0, composed[starter].Literal || unit.Literal);
                continue;
            }
            if (unit.Class == 0)
                starter = composed.Count;
            composed.Add(unit);
        }
        return composed;
    }

    static int? Pair(int first, int second) => Hangul.Compose(first, second) ?? NfcData.Composition(first, second);
}

/// <summary>The Korean syllables, which are arithmetic.</summary>
static class Hangul
{
    const int Syllables = 0xAC00, Leads = 0x1100, Vowels = 0x1161, Tails = 0x11A7;
    const int LeadCount = 19, VowelCount = 21, TailCount = 28;

    public const int FirstVowel = Vowels, EndOfTails = Tails + TailCount;

    public static bool IsSyllable(int codePoint) => codePoint is >= Syllables and < Syllables + LeadCount * VowelCount * TailCount;

    /// <summary>Lead, vowel and tail; the tail is 0 where there is none.</summary>
    public static int[] Decompose(int syllable)
    {
        var (lead, rest) = Math.DivRem(syllable - Syllables, VowelCount * TailCount);
        var (vowel, tail) = Math.DivRem(rest, TailCount);
        return [Leads + lead, Vowels + vowel, tail == 0 ? 0 : Tails + tail];
    }

    public static int? Compose(int first, int second)
    {
        if (first is >= Leads and < Leads + LeadCount && second is >= Vowels and < Vowels + VowelCount)
            return Syllables + ((first - Leads) * VowelCount + second - Vowels) * TailCount;
        var open = IsSyllable(first) && (first - Syllables) % TailCount == 0;
        return open && second is > Tails and < Tails + TailCount ? first + second - Tails : null;
    }
}
