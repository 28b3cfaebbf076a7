using System.Buffers;
using System.Text.RegularExpressions;

namespace Serving.Text;

/// <summary>Cuts a text at the matches of an expression. Slower than a <see cref="Scanner"/>; for patterns that have none.</summary>
sealed class RegexSplitter(SplitPattern pattern, SplitBehavior behavior) : Splitter
{
    public override void Split(ReadOnlySpan<char> text, PieceSink pieces)
    {
        if (!text.ContainsAnyInRange('\uD800', '\uF8FF'))
        {
            Split(text, new Joiner(text, null, behavior, pieces));
            return;
        }
        var shadow = ArrayPool<char>.Shared.Rent(text.Length);
        var places = ArrayPool<int>.Shared.Rent(text.Length + 1);
        try
        {
            var length = pattern.Shadow(text, shadow, places);
            Split(shadow.AsSpan(0, length), new Joiner(text, places, behavior, pieces));
        }
        finally
        {
            ArrayPool<char>.Shared.Return(shadow);
            ArrayPool<int>.Shared.Return(places);
        }
    }

    void Split(ReadOnlySpan<char> text, Joiner joiner)
    {
        var from = 0;
        try
        {
            foreach (var match in pattern.Regex.EnumerateMatches(text))
            {
                joiner.Add(from, match.Index, matches: behavior.Invert);
                from = match.Index + match.Length;
                joiner.Add(match.Index, from, matches: !behavior.Invert);
            }
        }
        catch (RegexMatchTimeoutException error)
        {
            throw new InvalidDataException($"The split pattern {pattern.Regex} did not get through {text.Length} characters in {error.MatchTimeout}.", error);
        }
        joiner.Add(from, text.Length, matches: behavior.Invert);
        joiner.Finish();
    }

    /// <summary>Joins matches and the text between them into pieces; <paramref name="places"/> says where the matched characters stand in the text, where the two differ.</summary>
    ref struct Joiner(ReadOnlySpan<char> text, int[]? places, SplitBehavior behavior, PieceSink pieces)
    {
        readonly ReadOnlySpan<char> _text = text;
        int _start, _end;
        bool _matches;

        public void Add(int start, int end, bool matches)
        {
            if (start == end)
                return;
            if (_start == _end || !behavior.Joins(_matches, matches))
            {
                Finish();
                _start = start;
            }
            (_end, _matches) = (end, matches);
        }

        public readonly void Finish()
        {
            if (_start < _end && behavior.Keeps(_matches))
                pieces.Take(places is null ? _text[_start.._end] : _text[places[_start]..places[_end]]);
        }
    }
}
