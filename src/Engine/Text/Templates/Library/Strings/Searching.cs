using System.Numerics;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>Finding, counting and replacing parts of a string.</summary>
static class Searching
{
    /// <summary>The code point where the part (argument 1) is found between the optional bounds, or -1.</summary>
    public static int Find(Call call, bool last = false)
    {
        var (text, part) = (call.Text(0), call.Text(1).Text);
        call.Rendering.ChargeSearch(text.Text.Length, part.Length);
        if (Window(call, text) is not var (from, to)) return -1;
        var window = text.Text.AsSpan(from, to - from);
        var at = last ? window.LastIndexOf(part) : window.IndexOf(part, StringComparison.Ordinal);
        return at < 0 ? -1 : text.PointAt(from + at);
    }

    public static int Found(int at) => at >= 0 ? at : throw TemplateException.Runtime("substring not found");

    public static int Count(Call call)
    {
        var (text, part) = (call.Text(0), call.Text(1).Text);
        call.Rendering.ChargeSearch(text.Text.Length, part.Length);
        if (Window(call, text) is not var (from, to)) return 0;
        return part.Length == 0 ? text.PointAt(to) - text.PointAt(from) + 1 : text.Text.AsSpan(from, to - from).Count(part);
    }

    /// <summary>Replaces argument 1 by argument 2, at most <paramref name="count"/> times where it is not negative.</summary>
    public static Str Replace(Call call, Str text, int count)
    {
        var (old, replacement) = (call.Printed(1).Text, call.Printed(2));
        call.Rendering.ChargeSearch(text.Text.Length, old.Length);
        var output = new TextBuilder(call.Rendering);
        var from = 0;
        for (var done = 0; count < 0 || done < count; done++)
        {
            var at = NextMatch(text, old, from, done);
            if (at < 0) break;
            output.Append(text, from, at - from).Append(replacement);
            call.Rendering.Step();
            from = at + old.Length;
        }
        return from == 0 && output.Length == 0 ? text : output.Append(text, from, text.Text.Length - from).ToStr();
    }

    /// <summary>Empty text is found before the first character and behind each one.</summary>
    static int NextMatch(Str text, string old, int from, int done)
    {
        if (old.Length > 0) return text.Text.IndexOf(old, from, StringComparison.Ordinal);
        if (done == 0) return 0;
        if (from >= text.Text.Length) return -1;
        return char.IsHighSurrogate(text.Text[from]) && from + 2 <= text.Text.Length ? from + 2 : from + 1;
    }

    /// <summary>The UTF-16 range between the bounds (arguments 2 and 3, in code points), or null where the start lies behind the
    /// end.</summary>
    static (int From, int To)? Window(Call call, Str text)
    {
        var length = text.Length!.Value;
        var (from, to) = (Bound(call.Has(2) ? call.Number(2) : 0), Bound(call.Has(3) ? call.Number(3) : length));
        return from > to || call.Has(2) && call.Number(2) > length ? null : (text.UnitAt(from), text.UnitAt(to));

        int Bound(BigInteger at) => (int)BigInteger.Clamp(at < 0 ? at + length : at, 0, length);
    }
}
