using System.Text;

namespace Serving.Text;

/// <summary>What may be sent after a piece of text was looked at.</summary>
/// <param name="Text">The text that is safe to send now, often held back for a while.</param>
/// <param name="Tokens">How many tokens, of all pushed so far, have had their whole text sent.</param>
/// <param name="Stop">The stop string that ended the text, or null.</param>
public readonly record struct StopStep(string Text, int Tokens, string? Stop);

/// <summary>Finds the first stop string in a text that comes token by token, and holds back what may be the beginning of one. Not for several threads at once.</summary>
/// <remarks>The stop that is complete first ends the text, the longest of those that end together; where the token borders lie changes nothing.</remarks>
public sealed class StopStrings
{
    readonly Matcher[] _matchers;
    readonly bool _includeStop;
    readonly StringBuilder _held = new();
    readonly Queue<long> _tokenEnds = [];
    long _seen;
    long _sent;
    int _tokensSent;

    /// <summary>A matcher of <paramref name="stops"/>, which must not be empty strings; <paramref name="includeStopInOutput"/> sends the stop string itself too.</summary>
    public StopStrings(IReadOnlyList<string> stops, bool includeStopInOutput = false)
    {
        ArgumentNullException.ThrowIfNull(stops);
        if (stops.Any(string.IsNullOrEmpty))
            throw new ArgumentException("A stop string is empty; it would end every text before it begins.", nameof(stops));
        _matchers = [.. stops.Select(stop => new Matcher(stop))];
        _includeStop = includeStopInOutput;
    }

    /// <summary>The stop string that ended the text, or null.</summary>
    public string? Stop { get; private set; }

    /// <summary>Looks at the text of one more token, which may be empty. After a stop nothing more is sent.</summary>
    public StopStep Push(string piece)
    {
        ArgumentNullException.ThrowIfNull(piece);
        if (Stop is not null)
            return new("", _tokensSent, Stop);
        _tokenEnds.Enqueue(_seen + piece.Length);
        foreach (var unit in piece)
        {
            _held.Append(unit);
            _seen++;
            if (Longest(unit) is not { } stop)
                continue;
            Stop = stop;
            return Send(_includeStop ? _held.Length : _held.Length - stop.Length);
        }
        var open = 0;
        foreach (var matcher in _matchers)
            open = Math.Max(open, matcher.Matched);
        return Send(_held.Length - open);
    }

    /// <summary>Ends the text without a stop: what was held back was none. <paramref name="rest"/> is the last text, of no token of its own.</summary>
    public StopStep Flush(string rest = "")
    {
        ArgumentNullException.ThrowIfNull(rest);
        if (Stop is not null)
            return new("", _tokensSent, Stop);
        _held.Append(rest);
        _seen += rest.Length;
        return Send(_held.Length);
    }

    string? Longest(char unit)
    {
        string? longest = null;
        foreach (var matcher in _matchers)
            if (matcher.Push(unit) && matcher.Text.Length > (longest?.Length ?? 0))
                longest = matcher.Text;
        return longest;
    }

    StopStep Send(int length)
    {
        var text = length == 0 ? "" : _held.ToString(0, length);
        _held.Remove(0, length);
        _sent += length;
        while (_tokenEnds.TryPeek(out var end) && end <= _sent)
        {
            _tokenEnds.Dequeue();
            _tokensSent++;
        }
        return new(text, _tokensSent, Stop);
    }

    /// <summary>Knuth, Morris and Pratt: how much of one stop string the text ends with, in constant time a character.</summary>
    sealed class Matcher
    {
        readonly int[] _shorter;

        public Matcher(string text)
        {
            Text = text;
            _shorter = new int[text.Length];
            for (int i = 1, matched = 0; i < text.Length; i++)
            {
                while (matched > 0 && text[i] != text[matched])
                    matched = _shorter[matched - 1];
                _shorter[i] = matched += text[i] == text[matched] ? 1 : 0;
            }
        }

        public string Text { get; }

        public int Matched { get; private set; }

        /// <summary>True where the text now ends with the stop string.</summary>
        public bool Push(char unit)
        {
            while (Matched > 0 && (Matched == Text.Length || unit != Text[Matched]))
                Matched = _shorter[Matched - 1];
            Matched += unit == Text[Matched] ? 1 : 0;
            return Matched == Text.Length;
        }
    }
}
