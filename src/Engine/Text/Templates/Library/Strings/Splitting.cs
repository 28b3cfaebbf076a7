using System.Buffers;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>Cutting strings into parts; the parts keep the marks of where their text came from.</summary>
static class Splitting
{
    static readonly SearchValues<char> LineEnds = SearchValues.Create("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029");

    public static Str Strip(Call call, bool start, bool end) => Strip(call.Text(0), call.Has(1) ? call.Text(1).Text : null, start, end);

    /// <summary>The string without white space, or without any of the given characters, at its start or end.</summary>
    public static Str Strip(Str text, string? characters, bool start, bool end)
    {
        Func<char, bool> goes = characters is null ? PythonText.IsSpace : c => characters.Contains(c);
        var (from, to) = (0, text.Text.Length);
        while (start && from < to && goes(text.Text[from])) from++;
        while (end && to > from && goes(text.Text[to - 1])) to--;
        return text.Slice(from, to - from);
    }

    public static ListValue Split(Call call, bool last)
    {
        var text = call.Text(0);
        var limit = call.Number(2, -1) is >= 0 and var given ? given : int.MaxValue;
        call.Rendering.Charge(text.Text.Length);
        List<(int From, int To)> gaps = call.Has(1)
            ? Separators(call, text, call.Text(1).Text, limit, last) : Blanks(call, text, limit, last);
        List<Value> parts = [];
        var (from, end) = (0, text.Text.Length);
        if (!call.Has(1))
        {
            from = last && gaps.Count >= limit ? 0 : PythonText.TrimStart(text.Text);
            end = !last && gaps.Count >= limit ? end : PythonText.TrimEnd(text.Text);
            if (PythonText.IsBlank(text.Text)) return new ListValue([]);
        }
        foreach (var gap in gaps)
        {
            parts.Add(text.Slice(from, gap.From - from));
            from = gap.To;
        }
        parts.Add(text.Slice(from, end - from));
        return new ListValue(parts);
    }

    /// <summary>Where the separator stands, from the start or, for the last ones, from the end; in ascending order.</summary>
    static List<(int From, int To)> Separators(Call call, Str text, string separator, int limit, bool last)
    {
        if (separator.Length == 0) throw TemplateException.Runtime("empty separator");
        call.Rendering.ChargeSearch(text.Text.Length, separator.Length);
        List<(int, int)> gaps = [];
        var (from, to) = (0, text.Text.Length);
        while (gaps.Count < limit)
        {
            var window = text.Text.AsSpan(from, to - from);
            var at = last ? window.LastIndexOf(separator) : window.IndexOf(separator);
            if (at < 0) break;
            call.Rendering.Step();
            gaps.Add((from + at, from + at + separator.Length));
            if (last) to = at;
            else from += at + separator.Length;
        }
        if (last) gaps.Reverse();
        return gaps;
    }

    /// <summary>Runs of white space between words, as many as the limit allows from the start or the end.</summary>
    static List<(int From, int To)> Blanks(Call call, Str text, int limit, bool last)
    {
        List<(int From, int To)> gaps = [];
        var (start, end) = (PythonText.TrimStart(text.Text), PythonText.TrimEnd(text.Text));
        for (var at = start; at < end; at++)
        {
            if (!PythonText.IsSpace(text.Text[at])) continue;
            var length = PythonText.TrimStart(text.Text.AsSpan(at));
            call.Rendering.Step();
            gaps.Add((at, at + length));
            at += length;
        }
        return gaps.Count <= limit ? gaps : last ? gaps[^limit..] : gaps[..limit];
    }

    /// <summary>Before, separator, after; with the separator missing, the whole string beside two empty ones.</summary>
    public static TupleValue Partition(Call call, bool last)
    {
        var (text, separator) = (call.Text(0), call.Text(1));
        if (!separator.IsTrue) throw TemplateException.Runtime("empty separator");
        call.Rendering.ChargeSearch(text.Text.Length, separator.Text.Length);
        var at = last
            ? text.Text.LastIndexOf(separator.Text, StringComparison.Ordinal)
            : text.Text.IndexOf(separator.Text, StringComparison.Ordinal);
        if (at < 0) return new TupleValue(last ? [Str.Empty, Str.Empty, text] : [text, Str.Empty, Str.Empty]);
        var after = at + separator.Text.Length;
        return new TupleValue([text.Slice(0, at), text.Slice(at, separator.Text.Length), text.Slice(after, text.Text.Length - after)]);
    }

    public static ListValue Lines(Call call)
    {
        var text = call.Text(0);
        call.Rendering.Charge(text.Text.Length);
        List<Value> lines = [];
        for (var from = 0; from < text.Text.Length;)
        {
            var rest = text.Text.AsSpan(from);
            var length = rest.IndexOfAny(LineEnds);
            if (length < 0) length = rest.Length;
            var mark = length == rest.Length ? 0 : rest[length..].StartsWith("\r\n") ? 2 : 1;
            call.Rendering.Step();
            lines.Add(text.Slice(from, call.Flag(1) ? length + mark : length));
            from += length + mark;
        }
        return new ListValue(lines);
    }
}
