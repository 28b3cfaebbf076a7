using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>The methods of Python's str.</summary>
static class StringMethods
{
    public static readonly Dictionary<string, Function> All = Function.Table(
        new("capitalize", "self", call => Cased(call, LetterCase.Capitalize)),
        new("casefold", "self", call => Cased(call, text => LetterCase.Lower(text.Replace("\u00df", "ss")))),
        new("center", "self width fillchar?", Padding.Center),
        new("count", "self sub start? end?", call => Int.Of(Searching.Count(call))),
        new("endswith", "self suffix", call => Bool.Of(Affix(call, static (text, end) => text.EndsWith(end, StringComparison.Ordinal)))),
        new("expandtabs", "self tabsize?", Padding.ExpandTabs),
        new("find", "self sub start? end?", call => Int.Of(Searching.Find(call))),
        new("format", "self * **", call => BraceFormat.Apply(call.Rendering, call.Text(0), new Arguments(call.Rest, call.Named))),
        new("index", "self sub start? end?", call => Int.Of(Searching.Found(Searching.Find(call)))),
        new("isalnum", "self", call => Every(call, char.IsLetterOrDigit)),
        new("isalpha", "self", call => Every(call, char.IsLetter)),
        new("isascii", "self", call => Bool.Of(call.Text(0).Text.All(char.IsAscii))),
        new("isdecimal", "self", call => Every(call, char.IsDigit)),
        new("isdigit", "self", call =>
            Every(call, c => char.IsDigit(c) || "\u00b2\u00b3\u00b9".Contains(c) || c is >= '\u2070' and <= '\u2089')),
        new("isidentifier", "self", call => Bool.Of(IsIdentifier(call.Text(0).Text))),
        new("islower", "self", call => Bool.Of(LetterCase.IsLower(call.Text(0).Text))),
        new("isnumeric", "self", call => Every(call, char.IsNumber)),
        new("isspace", "self", call => Every(call, PythonText.IsSpace)),
        new("istitle", "self", call =>
            Bool.Of(call.Text(0).Text.Any(char.IsLetter) && LetterCase.Titled(call.Text(0).Text) == call.Text(0).Text)),
        new("isupper", "self", call => Bool.Of(LetterCase.IsUpper(call.Text(0).Text))),
        new("join", "self iterable", Join),
        new("ljust", "self width fillchar?", Padding.Left),
        new("lower", "self", call => Cased(call, LetterCase.Lower)),
        new("lstrip", "self chars?", call => Splitting.Strip(call, start: true, end: false)),
        new("partition", "self sep", call => Splitting.Partition(call, last: false)),
        new("removeprefix", "self prefix", call => RemoveAffix(call, atEnd: false)),
        new("removesuffix", "self suffix", call => RemoveAffix(call, atEnd: true)),
        new("replace", "self old new count?", call => Searching.Replace(call, call.Text(0), call.Number(3, -1))),
        new("rfind", "self sub start? end?", call => Int.Of(Searching.Find(call, last: true))),
        new("rindex", "self sub start? end?", call => Int.Of(Searching.Found(Searching.Find(call, last: true)))),
        new("rjust", "self width fillchar?", Padding.Right),
        new("rpartition", "self sep", call => Splitting.Partition(call, last: true)),
        new("rsplit", "self sep? maxsplit?", call => Splitting.Split(call, last: true)),
        new("rstrip", "self chars?", call => Splitting.Strip(call, start: false, end: true)),
        new("split", "self sep? maxsplit?", call => Splitting.Split(call, last: false)),
        new("splitlines", "self keepends?", Splitting.Lines),
        new("startswith", "self prefix", call =>
            Bool.Of(Affix(call, static (text, start) => text.StartsWith(start, StringComparison.Ordinal)))),
        new("strip", "self chars?", call => Splitting.Strip(call, start: true, end: true)),
        new("swapcase", "self", call => Cased(call, LetterCase.Swapped)),
        new("title", "self", call => Cased(call, LetterCase.Titled)),
        new("upper", "self", call => Cased(call, LetterCase.Upper)),
        new("zfill", "self width", Padding.Zeros));

    /// <summary>A string with its letters changed; wholly content where it was in part, as the length may change.</summary>
    public static Str Cased(Call call, Func<string, string> change) => Changed(call.Rendering, call.Printed(0), change);

    public static Str Changed(Rendering rendering, Str text, Func<string, string> change)
    {
        rendering.Charge(text.Text.Length);
        rendering.Step(text.Text.Length);
        return Str.From(change(text.Text), text);
    }

    static Str Join(Call call)
    {
        var output = new TextBuilder(call.Rendering);
        var items = call.Items(1);
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0) output.Append(call.Text(0));
            output.Append(items[i] as Str
                ?? throw TemplateException.Runtime(
                    $"sequence item {i}: expected str instance, {items[i].TypeName} found; the filter join takes any values"));
        }
        return output.ToStr();
    }

    static bool Affix(Call call, Func<string, string, bool> matches) => call[1] is TupleValue several
        ? several.Items.Any(item => matches(call.Text(0).Text, (item as Str)?.Text
            ?? throw TemplateException.Runtime("a tuple of texts is needed")))
        : matches(call.Text(0).Text, call.Text(1).Text);

    static Str RemoveAffix(Call call, bool atEnd)
    {
        var (text, affix) = (call.Text(0), call.Text(1).Text);
        if (affix.Length == 0) return text;
        if (atEnd) return text.Text.EndsWith(affix, StringComparison.Ordinal) ? text.Slice(0, text.Text.Length - affix.Length) : text;
        return text.Text.StartsWith(affix, StringComparison.Ordinal) ? text.Slice(affix.Length, text.Text.Length - affix.Length) : text;
    }

    static Bool Every(Call call, Predicate<char> holds) =>
        Bool.Of(call.Text(0).Text is { Length: > 0 } text && Array.TrueForAll(text.ToCharArray(), holds));

    static bool IsIdentifier(string text) =>
        text.Length > 0 && !char.IsDigit(text[0]) && text.All(c => c == '_' || char.IsLetterOrDigit(c));
}
