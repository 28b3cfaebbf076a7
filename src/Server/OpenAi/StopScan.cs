using System.Collections.Immutable;

namespace Serving.Server.OpenAi;

/// <summary>Finds stop strings in text that comes in pieces; holds back the end that may still become one.</summary>
sealed class StopScan(ImmutableArray<string> stops, bool includesStop)
{
    string _held = "";

    /// <summary>Whether a stop was found; nothing leaves after it.</summary>
    public bool Found { get; private set; }

    /// <summary>The text that is safe to send.</summary>
    public string Push(string piece)
    {
        if (Found)
            return "";
        if (stops.IsEmpty)
            return piece;
        var text = _held + piece;
        if (FirstStop(text) is { } range)
        {
            (Found, _held) = (true, "");
            return text[..(includesStop ? range.End : range.Start)];
        }
        var safe = text.Length - Held(text);
        _held = text[safe..];
        return text[..safe];
    }

    /// <summary>Text in which no stop is looked for.</summary>
    public string Pass(string piece) => Flush() + piece;

    /// <summary>What was held back, when nothing more will come.</summary>
    public string Flush()
    {
        var rest = _held;
        _held = "";
        return rest;
    }

    Range? FirstStop(string text)
    {
        var (first, length) = (text.Length, 0);
        foreach (var stop in stops)
        {
            if (text.IndexOf(stop, StringComparison.Ordinal) is var at and >= 0 && at < first)
                (first, length) = (at, stop.Length);
        }
        return length > 0 ? first..(first + length) : null;
    }

    /// <summary>Length of the longest end of a text that begins a stop.</summary>
    int Held(string text)
    {
        var longest = 0;
        foreach (var stop in stops)
        {
            for (var length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                    longest = length;
            }
        }
        return longest;
    }
}
