using Serving.Text.Templates.Filtering;
using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>Python's <c>format % values</c>.</summary>
static class PercentFormat
{
    public static Str Apply(Rendering rendering, Str format, Value values)
    {
        var output = new TextBuilder(rendering);
        var queue = new Queue<Value>(values is TupleValue tuple ? tuple.Items : [values]);
        var text = format.Text;
        var at = 0;
        while (text.IndexOf('%', at) is >= 0 and var mark)
        {
            output.Append(format, at, mark - at);
            at = mark + 1;
            rendering.Step();
            if (at < text.Length && text[at] == '%') output.Append(format, at++, 1);
            else output.Append(Field(rendering, text, ref at, values, queue));
        }
        output.Append(format, at, text.Length - at);
        if (queue.Count > 0 && values is not Dict) throw TemplateException.Runtime("not all arguments converted during string formatting");
        return output.ToStr();
    }

    static Str Field(Rendering rendering, string text, ref int at, Value values, Queue<Value> queue)
    {
        Value? named = null;
        if (at < text.Length && text[at] == '(')
        {
            var close = text.IndexOf(')', at);
            if (close < 0) throw TemplateException.Runtime("incomplete format key");
            var key = text[(at + 1)..close];
            named = values is Dict dict ? dict[key] ?? throw TemplateException.Runtime($"the format's key '{key}' is missing")
                : throw TemplateException.Runtime("format requires a mapping");
            at = close + 1;
        }
        var spec = Spec(text, ref at, () => Next(queue));
        var value = named ?? Next(queue);
        if (value is Undefined missing && spec.Type is not ('s' or 'r' or 'a')) throw missing.Fail();
        return spec.Type switch
        {
            's' => NumberFormat.Format(rendering, value.Print(rendering), spec),
            'r' or 'a' => NumberFormat.Format(rendering, Quoted(rendering, value), spec with { Type = 's' }),
            'd' or 'i' or 'u' => NumberFormat.Format(rendering, value is Float real
                ? NumberFilters.Truncated(real.Number) : value, spec with { Type = 'd' }),
            'c' when value is Str => NumberFormat.Format(rendering, value, spec with { Type = 's' }),
            'e' or 'E' or 'f' or 'F' or 'g' or 'G' or 'x' or 'X' or 'o' or 'c' => NumberFormat.Format(rendering, value, spec),
            _ => throw TemplateException.Runtime($"unsupported format character '{spec.Type}'"),
        };
    }

    public static Str Quoted(Rendering rendering, Value value)
    {
        var output = new TextBuilder(rendering);
        value.Write(output, quoted: true);
        return output.ToStr();
    }

    static Value Next(Queue<Value> queue) => queue.TryDequeue(out var value) ? value
        : throw TemplateException.Runtime("not enough arguments for format string");

    static FormatSpec Spec(string text, ref int at, Func<Value> next)
    {
        var flags = "";
        while (at < text.Length && "-+ 0#".Contains(text[at])) flags += text[at++];
        var width = Count(text, ref at, next);
        var precision = -1;
        if (at < text.Length && text[at] == '.')
        {
            at++;
            precision = Math.Max(0, Count(text, ref at, next));
        }
        while (at < text.Length && text[at] is 'h' or 'l' or 'L') at++;
        if (at >= text.Length) throw TemplateException.Runtime("incomplete format");
        return new FormatSpec(text[at++])
        {
            Width = width,
            Precision = precision,
            Sign = flags.Contains('+') ? '+' : flags.Contains(' ') ? ' ' : '-',
            Align = flags.Contains('-') ? '<' : flags.Contains('0') && "sra".IndexOf(text[at - 1]) < 0 ? '=' : '>',
            Fill = flags.Contains('0') && !flags.Contains('-') && "sra".IndexOf(text[at - 1]) < 0 ? '0' : ' ',
            Alternate = flags.Contains('#'),
        };
    }

    static int Count(string text, ref int at, Func<Value> next)
    {
        if (at < text.Length && text[at] == '*')
        {
            at++;
            return (int)System.Numerics.BigInteger.Clamp(next().AsInteger()
                ?? throw TemplateException.Runtime("* wants int"), 0, int.MaxValue);
        }
        return FormatDigits.Read(text, ref at) ?? 0;
    }
}

static class FormatDigits
{
    /// <summary>The decimal number at this place of a format, or null; sizes beyond an int are refused.</summary>
    public static int? Read(string text, ref int at)
    {
        var start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at])) at++;
        if (at == start) return null;
        return int.TryParse(text.AsSpan(start, at - start), out var number) ? number
            : throw TemplateException.Limit($"The number {text.AsSpan(start, Math.Min(at - start, 20))} in a format is too large.");
    }
}
