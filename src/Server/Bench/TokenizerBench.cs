using System.Diagnostics;
using Serving.Text;

namespace Serving.Server.Bench;

/// <summary>How fast one tokenizer encodes one text on one core; medians of repeats, at a quarter of the text and at all of it.</summary>
/// <param name="Tokenizer">File it was read from.</param>
/// <param name="Text">File, or what the text is.</param>
/// <param name="Bytes">UTF-8 bytes of the text.</param>
/// <param name="Tokens">Ids it became.</param>
/// <param name="QuarterMegabytesPerSecond">At a quarter of the text, in 10^6 bytes a second.</param>
/// <param name="MegabytesPerSecond">At all of it; about the same where the work is linear.</param>
sealed record Encoded(string Tokenizer, string Text, int Bytes, int Tokens, double QuarterMegabytesPerSecond, double MegabytesPerSecond);

/// <summary>Measures the encoding of texts. Words are remembered by a tokenizer, so each repeat has one of its own.</summary>
static class TokenizerBench
{
    /// <summary>A word without a place to cut: letters in a random order that is always the same.</summary>
    public static string Word(int length)
    {
        var random = new Random(3);
        return string.Create(length, random, (word, letters) =>
        {
            for (var i = 0; i < word.Length; i++) word[i] = (char)('a' + letters.Next(26));
        });
    }

    /// <summary>Measures one text.</summary>
    public static Encoded Measure(string name, Func<Tokenizer> load, string textName, string text, int repeats)
    {
        var quarter = text[..(text.Length / 4)];
        var (few, many, tokens) = (new List<double>(), new List<double>(), 0);
        for (var repeat = 0; repeat < repeats; repeat++)
        {
            few.Add(Rate(load(), quarter, out _));
            many.Add(Rate(load(), text, out tokens));
        }
        return new(name, textName, System.Text.Encoding.UTF8.GetByteCount(text), tokens, Median(few), Median(many));
    }

    static double Rate(Tokenizer tokenizer, string text, out int tokens)
    {
        // Not the first call of anything.
        tokenizer.Encode("Once upon a time.", addSpecial: false, parseSpecial: false);
        var started = Stopwatch.GetTimestamp();
        tokens = tokenizer.Encode(text, addSpecial: false, parseSpecial: false).Length;
        return System.Text.Encoding.UTF8.GetByteCount(text) / Stopwatch.GetElapsedTime(started).TotalSeconds / 1e6;
    }

    static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
