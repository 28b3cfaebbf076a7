using Serving.Text.Templates.Library;
using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Filtering;

/// <summary>The filters behind <c>|</c>: Jinja's own, except those that make random or HTML text.</summary>
static class Filters
{
    public static readonly Dictionary<string, Function> All = Function.Table(
        new("abs", "x", NumberFilters.Abs),
        new("attr", "obj name", call => Access.Member(call[0], call.Text(1).Text) ?? Undefined.Member(call[0], call.Text(1).Text)),
        new("batch", "value linecount fill_with?", SequenceFilters.Batch),
        new("capitalize", "s", call => StringMethods.Cased(call, LetterCase.Capitalize)),
        new("center", "value width?", Padding.CenterFilter),
        new("count", "obj", Length),
        new("d", "value default_value? boolean?", Default),
        new("default", "value default_value? boolean?", Default),
        new("dictsort", "value case_sensitive? by? reverse?", OrderingFilters.DictSort),
        new("e", "s", TextFilters.Escape),
        new("escape", "s", TextFilters.Escape),
        new("forceescape", "s", TextFilters.Escape),
        new("filesizeformat", "value binary?", NumberFilters.FileSize),
        new("first", "seq", call => call.Items(0) is [var first, ..] ? first : new Undefined("No first item, sequence was empty.")),
        new("float", "value default?", NumberFilters.ToFloat),
        new("format", "value * **", TextFilters.Format),
        new("groupby", "value attribute default? case_sensitive?", OrderingFilters.GroupBy),
        new("indent", "s width? first? blank?", TextFilters.Indent),
        new("int", "value default? base?", NumberFilters.ToInt),
        new("items", "value", Items),
        new("join", "value d? attribute?", SequenceFilters.Join),
        new("last", "seq", call => call.Items(0) is [.., var last] ? last : new Undefined("No last item, sequence was empty.")),
        new("length", "obj", Length),
        new("list", "value", call => new ListValue(call.Items(0))),
        new("lower", "s", call => StringMethods.Cased(call, LetterCase.Lower)),
        new("map", "value * **", SelectionFilters.Map),
        new("max", "value case_sensitive? attribute?", call => OrderingFilters.Extreme(call, sign: 1)),
        new("min", "value case_sensitive? attribute?", call => OrderingFilters.Extreme(call, sign: -1)),
        new("reject", "value * **", call => SelectionFilters.Select(call, keep: false)),
        new("rejectattr", "value attribute * **", call => SelectionFilters.SelectAttribute(call, keep: false)),
        new("replace", "s old new count?", call => Searching.Replace(call, call.Printed(0), call.Has(3) ? call.Number(3) : -1)),
        new("reverse", "value", SequenceFilters.Reverse),
        new("round", "value precision? method?", NumberFilters.Round),
        new("safe", "value", call => call.Printed(0)),
        new("select", "value * **", call => SelectionFilters.Select(call, keep: true)),
        new("selectattr", "value attribute * **", call => SelectionFilters.SelectAttribute(call, keep: true)),
        new("slice", "value slices fill_with?", SequenceFilters.Slice),
        new("sort", "value reverse? case_sensitive? attribute?", OrderingFilters.Sort),
        new("string", "object", call => call.Printed(0)),
        new("striptags", "value", TextFilters.StripTags),
        new("sum", "iterable attribute? start?", SequenceFilters.Sum),
        new("title", "s", TextFilters.Title),
        new("tojson", "x ensure_ascii? indent? separators? sort_keys?", JsonText.Of),
        new("trim", "value chars?", call =>
            Splitting.Strip(call.Printed(0), call.Has(1) ? call.Text(1).Text : null, start: true, end: true)),
        new("truncate", "s length? killwords? end? leeway?", TextFilters.Truncate),
        new("unique", "value case_sensitive? attribute?", OrderingFilters.Unique),
        new("upper", "s", call => StringMethods.Cased(call, LetterCase.Upper)),
        new("urlencode", "value", TextFilters.UrlEncode),
        new("wordcount", "s", TextFilters.WordCount),
        new("wordwrap", "s width? break_long_words? wrapstring?", TextFilters.WordWrap));

    public static Function Find(string name) => All.TryGetValue(name, out var filter) ? filter
        : throw TemplateException.Runtime($"No filter named '{name}' found; the filters are {string.Join(", ", All.Keys)}.");

    static Int Length(Call call) => Int.Of(call[0].Length
        ?? throw TemplateException.Runtime($"object of type '{call[0].TypeName}' has no len()"));

    static Value Default(Call call) =>
        call[0] is Undefined || call.Flag(2) && !call[0].IsTrue ? call.Optional(1) ?? Str.Empty : call[0];

    static Generator Items(Call call) => call[0] switch
    {
        Undefined => new Generator([]),
        Dict dict => new Generator([.. dict.Entries.Select(entry => new TupleValue([entry.Key, entry.Value]))]),
        _ => throw TemplateException.Runtime("Can only get item pairs from a mapping."),
    };
}
