using System.Text;
using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>Values as Python's <c>json.dumps</c> writes them; the filter <c>tojson</c>.</summary>
sealed class JsonText
{
    readonly TextBuilder _output;
    readonly bool _asciiOnly;
    readonly bool _sorted;
    readonly string? _indent;
    readonly (string Item, string Key) _separators;
    int _level;

    JsonText(Call call)
    {
        _output = new TextBuilder(call.Rendering);
        _asciiOnly = call.Flag(1);
        _indent = Indent(call);
        _separators = call.Has(3) ? Separators(call[3]) : (_indent is null ? ", " : ",", ": ");
        _sorted = call.Flag(4);
    }

    /// <summary>The text of argument 0; then ensure_ascii, indent, separators and sort_keys.</summary>
    public static Str Of(Call call)
    {
        var json = new JsonText(call);
        json.Write(call[0]);
        return json._output.ToStr();
    }

    static string? Indent(Call call)
    {
        if (!call.Has(2)) return null;
        if (call[2] is Str text) return text.Text;
        var width = Math.Max(0, call.Number(2));
        call.Rendering.Charge(width);
        return new string(' ', width);
    }

    static (string, string) Separators(Value value) => value.Items is [Str item, Str key] ? (item.Text, key.Text)
        : throw TemplateException.Runtime("separators must be two texts, as (',', ': ')");

    void Write(Value value)
    {
        _output.Rendering.Step();
        switch (value)
        {
            case None: _output.Append("null"); break;
            case Bool: _output.Append(value.IsTrue ? "true" : "false"); break;
            case Int: value.Write(_output, quoted: true); break;
            case Float number: _output.Append(Spell(number.Number)); break;
            case Str text: Write(text); break;
            case ListValue or TupleValue: Write('[', value.Items!, ']', Write); break;
            case Dict dict: Write('{', [.. Entries(dict)], '}', WriteEntry); break;
            default: throw TemplateException.Runtime($"Object of type {value.TypeName} is not JSON serializable");
        }
    }

    static string Spell(double number) =>
        double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? number > 0 ? "Infinity" : "-Infinity" : Float.Spell(number);

    IEnumerable<(Value Key, Value Value)> Entries(Dict dict) => _sorted
        ? Comparison.Sort([.. dict.Entries], (a, b) => Comparison.Order(_output.Rendering, a.Key, b.Key))
        : dict.Entries;

    void WriteEntry((Value Key, Value Value) entry)
    {
        Write(entry.Key switch
        {
            Str text => text,
            None => new Str("null"),
            Bool flag => new Str(flag.IsTrue ? "true" : "false"),
            Int or Float => entry.Key.Print(_output.Rendering),
            _ => throw TemplateException.Runtime($"keys must be str, int, float, bool or None, not {entry.Key.TypeName}"),
        });
        _output.Append(_separators.Key);
        Write(entry.Value);
    }

    void Write<T>(char open, IReadOnlyList<T> items, char close, Action<T> write)
    {
        _output.Append([open]);
        if (items.Count > 0)
        {
            _output.Rendering.Enter();
            _level++;
            for (var i = 0; i < items.Count; i++)
            {
                if (i > 0) _output.Append(_separators.Item);
                BreakLine();
                write(items[i]);
            }
            _level--;
            _output.Rendering.Leave();
            BreakLine();
        }
        _output.Append([close]);
    }

    void BreakLine()
    {
        if (_indent is null) return;
        _output.Append("\n");
        for (var i = 0; i < _level; i++) _output.Append(_indent);
    }

    void Write(Str text)
    {
        _output.Append("\"");
        if (text.Text.Any(NeedsEscape)) _output.Append(Escaped(text.Text), text.Marks.Any);
        else _output.Append(text);
        _output.Append("\"");
    }

    bool NeedsEscape(char c) => c is < ' ' or '"' or '\\' || _asciiOnly && c > '~';

    string Escaped(string text)
    {
        var escaped = new StringBuilder(text.Length + 16);
        foreach (var c in text)
            if (!NeedsEscape(c)) escaped.Append(c);
            else if ("\"\\\n\r\t\f\b".IndexOf(c) is >= 0 and var named) escaped.Append('\\').Append("\"\\nrtfb"[named]);
            else escaped.Append($"\\u{(int)c:x4}");
        return escaped.ToString();
    }
}
