using System.Globalization;
using System.Numerics;
using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>How <c>%</c> and <c>format</c> lay out one value. Precision -1 means none was given; type '\0' is the value's own
/// form.</summary>
readonly record struct FormatSpec(char Type)
{
    public char Fill { get; init; } = ' ';

    public char Align { get; init; }

    public char Sign { get; init; } = '-';

    public bool Alternate { get; init; }

    public int Width { get; init; }

    public char Grouping { get; init; }

    public int Precision { get; init; } = -1;
}

/// <summary>Numbers and texts laid out as Python does.</summary>
static class NumberFormat
{
    const int MostDigits = 400;

    /// <summary>A value in the form of a specification; the whole result is content where the value was in part.</summary>
    public static Str Format(Rendering rendering, Value value, FormatSpec spec)
    {
        rendering.Charge(spec.Width);
        if (value.AsDouble() is null)
        {
            var printed = value.Print(rendering);
            if (spec.Type is not ('s' or '\0'))
                throw TemplateException.Runtime($"the format '{spec.Type}' needs a number, not '{value.TypeName}'");
            if (spec.Precision >= 0 && printed.Length > spec.Precision) printed = printed.Slice(0, printed.UnitAt(spec.Precision));
            return Aligned(rendering, printed, spec, '<');
        }
        var (sign, prefix, digits) = Digits(value, spec);
        if (spec.Align == '=' && sign.Length + prefix.Length + digits.Length < spec.Width)
            digits = digits.PadLeft(spec.Width - sign.Length - prefix.Length, spec.Fill);
        return Aligned(rendering, new Str(sign + prefix + digits), spec, '>');
    }

    static Str Aligned(Rendering rendering, Str text, FormatSpec spec, char usual)
    {
        var missing = spec.Width - text.Length!.Value;
        if (missing <= 0) return text;
        var left = (spec.Align is '\0' or '=' ? usual : spec.Align) switch { '<' => 0, '^' => missing / 2, _ => missing };
        return new TextBuilder(rendering).Append(new string(spec.Fill, left)).Append(text).Append(new string(spec.Fill,
            missing - left)).ToStr();
    }

    static (string Sign, string Prefix, string Digits) Digits(Value value, FormatSpec spec)
    {
        if (spec.Precision > MostDigits)
            throw TemplateException.Limit($"A precision of {spec.Precision} digits is larger than {MostDigits}.");
        if (value.AsInteger() is { } number && spec.Type is not ('e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%'))
        {
            var (prefix, digits) = Whole(BigInteger.Abs(number), value, spec);
            return (SignOf(number.Sign < 0, spec), prefix, digits);
        }
        var real = value.AsDouble()!.Value;
        if (spec.Type is 'd' or 'x' or 'X' or 'o' or 'b' or 'c')
            throw TemplateException.Runtime($"the format '{spec.Type}' needs an integer, not '{value.TypeName}'");
        return (SignOf(double.IsNegative(real), spec), "", Grouped(Real(Math.Abs(real), spec), spec));
    }

    static string SignOf(bool negative, FormatSpec spec) => negative ? "-" : spec.Sign == '-' ? "" : spec.Sign.ToString();

    static (string Prefix, string Digits) Whole(BigInteger number, Value value, FormatSpec spec) => spec.Type switch
    {
        'x' => (spec.Alternate ? "0x" : "", Radix(number, "x")),
        'X' => (spec.Alternate ? "0X" : "", Radix(number, "X")),
        'o' => (spec.Alternate ? "0o" : "", Octal(number)),
        'b' => (spec.Alternate ? "0b" : "", Radix(number, "b")),
        'c' => ("", Character(number)),
        's' => ("", value is Bool ? value.IsTrue ? "True" : "False" : number.ToString(CultureInfo.InvariantCulture)),
        '\0' when value is Bool && spec.Width == 0 => ("", value.IsTrue ? "True" : "False"),
        'd' or 'n' or '\0' => ("", Grouped(number.ToString(CultureInfo.InvariantCulture), spec)),
        _ => throw TemplateException.Runtime($"unknown format '{spec.Type}'"),
    };

    static string Character(BigInteger number) => number < 0xD800 || number > 0xDFFF && number <= 0x10FFFF
        ? char.ConvertFromUtf32((int)number)
        : throw TemplateException.Runtime($"{number} is no character");

    static string Radix(BigInteger number, string format) =>
        number.IsZero ? "0" : number.ToString(format, CultureInfo.InvariantCulture).TrimStart('0');

    static string Octal(BigInteger number)
    {
        var digits = new List<char>();
        for (; !number.IsZero; number >>= 3) digits.Add((char)('0' + (int)(number & 7)));
        digits.Reverse();
        return digits.Count == 0 ? "0" : new string([.. digits]);
    }

    static string Real(double number, FormatSpec spec)
    {
        if (!double.IsFinite(number)) return double.IsNaN(number) ? "nan" : "inf";
        var precision = spec.Precision < 0 ? 6 : spec.Precision;
        return spec.Type switch
        {
            'f' or 'F' => Fixed(number, precision),
            '%' => Fixed(number * 100, precision) + "%",
            'e' => Scientific(number, precision),
            'E' => Scientific(number, precision).ToUpperInvariant(),
            'g' or '\0' or 'n' when spec.Precision >= 0 || spec.Type != '\0' => General(number, precision, spec.Alternate),
            'G' => General(number, precision, spec.Alternate).ToUpperInvariant(),
            's' or '\0' => Float.Spell(number),
            _ => throw TemplateException.Runtime($"unknown format '{spec.Type}'"),
        };
    }

    /// <summary>A number with so many decimals, ties to even, exact for every double.</summary>
    public static string Fixed(double number, int decimals)
    {
        const int Guard = 60;
        var exact = number.ToString("F" + (decimals + Guard), CultureInfo.InvariantCulture);
        var negative = exact.StartsWith('-');
        var scaled = BigInteger.Parse(exact.Replace(".", "").TrimStart('-'), CultureInfo.InvariantCulture);
        var unit = BigInteger.Pow(10, Guard);
        var whole = BigInteger.DivRem(scaled, unit, out var rest);
        var half = (rest * 2).CompareTo(unit);
        if (half > 0 || half == 0 && !whole.IsEven) whole++;
        var digits = whole.ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        return (negative ? "-" : "") + (decimals == 0 ? digits : digits[..^decimals] + "." + digits[^decimals..]);
    }

    static string Scientific(double number, int decimals)
    {
        var spelled = number.ToString("e" + decimals, CultureInfo.InvariantCulture);
        var mark = spelled.IndexOf('e');
        return spelled[..(mark + 2)] + spelled[(mark + 2)..].TrimStart('0').PadLeft(2, '0');
    }

    static string General(double number, int precision, bool keepZeros)
    {
        precision = Math.Max(1, precision);
        var scientific = Scientific(number, precision - 1);
        var mark = scientific.IndexOf('e');
        var exponent = int.Parse(scientific.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        if (exponent >= -4 && exponent < precision) return Trimmed(Fixed(number, precision - 1 - exponent));
        return Trimmed(scientific[..mark]) + scientific[mark..];

        string Trimmed(string digits) => keepZeros || !digits.Contains('.') ? digits : digits.TrimEnd('0').TrimEnd('.');
    }

    static string Grouped(string digits, FormatSpec spec)
    {
        if (spec.Grouping == '\0') return digits;
        var end = digits.IndexOfAny(['.', 'e', 'E', '%']) is >= 0 and var at ? at : digits.Length;
        var grouped = digits[..end];
        for (var i = grouped.Length - 3; i > 0; i -= 3) grouped = grouped.Insert(i, spec.Grouping.ToString());
        return grouped + digits[end..];
    }
}
