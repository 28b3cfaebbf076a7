using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>Python's <c>str.format</c>, inside the sandbox: fields reach only what the template itself could.</summary>
sealed class BraceFormat(Rendering rendering, Arguments arguments)
{
    int _next;

    public static Str Apply(Rendering rendering, Str format, Arguments arguments) =>
        new BraceFormat(rendering, arguments).Apply(format, nested: false);

    Str Apply(Str format, bool nested)
    {
        var output = new TextBuilder(rendering);
        var text = format.Text;
        for (var at = 0; at < text.Length;)
        {
            var length = text.AsSpan(at).IndexOfAny('{', '}') is >= 0 and var found ? found : text.Length - at;
            output.Append(format, at, length);
            at += length;
            if (at >= text.Length) break;
            rendering.Step();
            if (at + 1 < text.Length && text[at + 1] == text[at])
            {
                output.Append(format, at, 1);
                at += 2;
                continue;
            }
            if (text[at] == '}') throw TemplateException.Runtime("Single '}' encountered in format string");
            var end = FieldEnd(text, at);
            output.Append(Field(text[(at + 1)..end], nested));
            at = end + 1;
        }
        return output.ToStr();
    }

    static int FieldEnd(string text, int at)
    {
        var depth = 0;
        for (var i = at; i < text.Length; i++)
            if (text[i] == '{') depth++;
            else if (text[i] == '}' && --depth == 0) return i;
        throw TemplateException.Runtime("expected '}' before end of string");
    }

    Str Field(string field, bool nested)
    {
        var colon = field.IndexOf(':');
        var (path, spec) = colon < 0 ? (field, "") : (field[..colon], field[(colon + 1)..]);
        var bang = path.IndexOf('!');
        var conversion = bang < 0 ? "" : path[(bang + 1)..];
        var value = Resolve(bang < 0 ? path : path[..bang]);
        if (spec.Contains('{'))
            spec = nested ? throw TemplateException.Runtime("Max string recursion exceeded") : Apply(new Str(spec), nested: true).Text;
        value = conversion switch
        {
            "" => value,
            "s" => value.Print(rendering),
            "r" or "a" => PercentFormat.Quoted(rendering, value),
            _ => throw TemplateException.Runtime($"Unknown conversion specifier '{conversion}'"),
        };
        return spec.Length == 0 ? value.Print(rendering) : NumberFormat.Format(rendering, value, Parse(spec));
    }

    Value Resolve(string path)
    {
        var end = path.AsSpan().IndexOfAny('.', '[') is >= 0 and var found ? found : path.Length;
        var value = First(path[..end]);
        while (end < path.Length)
        {
            rendering.Step();
            var start = end + 1;
            if (path[end] == '[')
            {
                var close = path.IndexOf(']', start);
                if (close < 0) throw TemplateException.Runtime("Missing ']' in format string");
                value = Access.Item(rendering, value, Key(path[start..close]));
                end = close + 1;
                continue;
            }
            end = path.AsSpan(start).IndexOfAny('.', '[') is >= 0 and var next ? start + next : path.Length;
            value = Access.Attribute(value, path[start..end]);
        }
        return value;
    }

    Value First(string name)
    {
        if (name.Length > 0 && !char.IsAsciiDigit(name[0]))
            return arguments.Named.FirstOrDefault(argument => argument.Key == name).Value
                ?? throw TemplateException.Runtime($"format has no argument '{name}'");
        var index = name.Length == 0 ? _next++ : int.TryParse(name, out var given) ? given : int.MaxValue;
        return index < arguments.Positional.Count ? arguments.Positional[index]
            : throw TemplateException.Runtime($"Replacement index {index} out of range for positional args tuple");
    }

    static Value Key(string key) => int.TryParse(key, out var index) ? Int.Of(index) : new Str(key);

    /// <summary>Parses fill, alignment, sign, #, 0, width, grouping, precision and type.</summary>
    static FormatSpec Parse(string spec)
    {
        var (at, fill, align) = (0, ' ', '\0');
        if (spec.Length > 1 && IsAlign(spec[1])) (fill, align, at) = (spec[0], spec[1], 2);
        else if (IsAlign(spec[0])) (align, at) = (spec[0], 1);
        var sign = at < spec.Length && spec[at] is '+' or '-' or ' ' ? spec[at++] : '-';
        var alternate = at < spec.Length && spec[at] == '#' && at++ >= 0;
        if (at < spec.Length && spec[at] == '0' && align == '\0') (fill, align, at) = ('0', '=', at + 1);
        var width = FormatDigits.Read(spec, ref at) ?? 0;
        var grouping = at < spec.Length && spec[at] is ',' or '_' ? spec[at++] : '\0';
        var precision = -1;
        if (at < spec.Length && spec[at] == '.')
        {
            at++;
            precision = FormatDigits.Read(spec, ref at) ?? throw TemplateException.Runtime("Format specifier missing precision");
        }
        var type = at < spec.Length ? spec[at++] : '\0';
        if (at < spec.Length) throw TemplateException.Runtime($"Invalid format specifier '{spec}'");
        return new FormatSpec(type)
        {
            Fill = fill,
            Align = align,
            Sign = sign,
            Alternate = alternate,
            Width = width,
            Grouping = grouping,
            Precision = precision,
        };
    }

    static bool IsAlign(char c) => c is '<' or '>' or '^' or '=';
}
