using System.Text;
using Serving.Text.Templates.Library;
using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Filtering;

/// <summary>The filters on text that Python's str has no method for.</summary>
static class TextFilters
{
    public static Str Escape(Call call)
    {
        var output = new TextBuilder(call.Rendering);
        var text = call.Printed(0);
        for (var from = 0; from < text.Text.Length;)
        {
            var length = text.Text.AsSpan(from).IndexOfAny("&<>'\"") is >= 0 and var found ? found : text.Text.Length - from;
            output.Append(text, from, length);
            from += length;
            if (from < text.Text.Length) output.Append(Entity(text.Text[from++]), text.Marks.Any);
        }
        return output.ToStr();
    }

    public static Value Format(Call call)
    {
        if (call.Rest.Count > 0
            && call.Named.Count > 0) throw TemplateException.Runtime("can't handle positional and keyword arguments at the same time");
        var values = new Dict();
        foreach (var (key, value) in call.Named) values.Set(key, value);
        return PercentFormat.Apply(call.Rendering, call.Printed(0), call.Named.Count > 0 ? values : new TupleValue(call.Rest));
    }

    public static Str Indent(Call call)
    {
        var text = call.Printed(0);
        var indent = call.Optional(1) is Str given ? given : Spaces(call, call.Number(1, 4));
        var (first, blank) = (call.Flag(2), call.Flag(3));
        var output = new TextBuilder(call.Rendering);
        for (int from = 0, line = 0; from <= text.Text.Length; line++)
        {
            var length = text.Text.AsSpan(from).IndexOf('\n') is >= 0 and var found ? found : text.Text.Length - from;
            if (line > 0) output.Append("\n");
            if (line == 0 ? first : blank || length > 0) output.Append(indent);
            output.Append(text, from, length);
            from += length + 1;
        }
        return output.ToStr();
    }

    public static Str StripTags(Call call)
    {
        var text = call.Printed(0);
        var kept = new StringBuilder();
        for (var at = 0; at < text.Text.Length;)
        {
            var close = text.Text[at] != '<' ? -1
                : text.Text.AsSpan(at).StartsWith("<!--", StringComparison.Ordinal)
                    ? EndOf(text.Text, at, "-->") : EndOf(text.Text, at, ">");
            if (close < 0) kept.Append(text.Text[at++]);
            else at = close;
            call.Rendering.Step(text.Text.Length >> 10);
        }
        return Str.From(string.Join(' ', kept.ToString().Split(default(char[]), StringSplitOptions.RemoveEmptyEntries)), text);
    }

    public static Str Title(Call call) => StringMethods.Cased(call, static text =>
    {
        var result = new StringBuilder(text.Length);
        for (var from = 0; from < text.Length;)
        {
            var breaks = IsBreak(text[from]);
            var to = from + 1;
            while (to < text.Length && IsBreak(text[to]) == breaks) to++;
            var word = text[from..to];
            var first = char.IsHighSurrogate(word[0]) && word.Length > 1 ? 2 : 1;
            result.Append(breaks ? word : LetterCase.Upper(word[..first]) + LetterCase.Lower(word[first..]));
            from = to;
        }
        return result.ToString();
    });

    public static Str Truncate(Call call)
    {
        var (text, length, end) = (call.Printed(0), call.Number(1, 255), call.Text(3, "..."));
        var leeway = call.Has(4) ? call.Number(4) : 5;
        if (length < end.Length) throw TemplateException.Runtime($"expected length >= {end.Length}, got {length}");
        if (leeway < 0) throw TemplateException.Runtime($"expected leeway >= 0, got {leeway}");
        if (text.Length <= (long)length + leeway) return text;
        var cut = text.UnitAt(length - end.Length!.Value);
        if (!call.Flag(2) && text.Text.LastIndexOf(' ', Math.Max(0, cut - 1)) is >= 0 and var space && space < cut) cut = space;
        return new TextBuilder(call.Rendering).Append(text, 0, cut).Append(end).ToStr();
    }

    public static Str UrlEncode(Call call)
    {
        if (call[0] is Str text) return Quote(text, isPath: true);
        var pairs = call[0] is Dict dict ? dict.Entries.Select(entry => (entry.Key, entry.Value))
            : call.Items(0).Select(item => item.Items is [var key, var value] ? (key, value)
                : throw TemplateException.Runtime("urlencode needs pairs"));
        var output = new TextBuilder(call.Rendering);
        foreach (var (key, value) in pairs)
        {
            if (output.Length > 0) output.Append("&");
            output.Append(Quote(key.Print(call.Rendering), isPath: false)).Append("=").Append(Quote(value.Print(call.Rendering),
                isPath: false));
        }
        return output.ToStr();
    }

    public static Int WordCount(Call call)
    {
        var (count, inWord) = (0, false);
        foreach (var c in call.Printed(0).Text)
        {
            var isWord = c == '_' || char.IsLetterOrDigit(c);
            if (isWord && !inWord) count++;
            inWord = isWord;
        }
        return Int.Of(count);
    }

    /// <summary>Breaks each line between words so that none is longer than the width, and long words too unless told otherwise.</summary>
    public static Str WordWrap(Call call)
    {
        var (text, width, breaksWords) = (call.Printed(0), call.Number(1, 79), call.Flag(2, otherwise: true));
        if (width <= 0) throw TemplateException.Runtime("wordwrap needs a positive width");
        call.Rendering.Charge(text.Text.Length * 2L);
        var lines = text.Text.Split('\n').SelectMany(line => WrapLine(line, width, breaksWords));
        return Str.From(string.Join(call.Has(3) ? call.Text(3).Text : "\n", lines), text);
    }

    static IEnumerable<string> WrapLine(string line, int width, bool breaksWords)
    {
        var current = "";
        foreach (var given in line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var word = given;
            if (current.Length > 0 && current.Length + 1 + word.Length > width)
            {
                yield return current;
                current = "";
            }
            for (; breaksWords && current.Length == 0 && word.Length > width; word = word[width..]) yield return word[..width];
            current = current.Length == 0 ? word : $"{current} {word}";
        }
        yield return current;
    }

    static Str Spaces(Call call, int width)
    {
        call.Rendering.Charge(width);
        return new Str(new string(' ', Math.Max(0, width)));
    }

    static string Entity(char c) => c switch { '&' => "&amp;", '<' => "&lt;", '>' => "&gt;", '\'' => "&#39;", _ => "&#34;" };

    static int EndOf(string text, int from, string mark) =>
        text.IndexOf(mark, from, StringComparison.Ordinal) is >= 0 and var at ? at + mark.Length : -1;

    static bool IsBreak(char c) => c is '-' or '(' or '{' or '[' or '<' || PythonText.IsSpace(c);

    static Str Quote(Str text, bool isPath)
    {
        var quoted = new StringBuilder();
        foreach (var unit in Encoding.UTF8.GetBytes(text.Text))
            if (char.IsAsciiLetterOrDigit((char)unit) || "_.-~".Contains((char)unit) || isPath && unit == '/') quoted.Append((char)unit);
            else if (unit == ' ' && !isPath) quoted.Append('+');
            else quoted.Append($"%{unit:X2}");
        return Str.From(quoted.ToString(), text);
    }
}
