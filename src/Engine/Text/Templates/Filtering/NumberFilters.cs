using System.Globalization;
using System.Numerics;
using Serving.Text.Templates.Library;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Filtering;

/// <summary>The filters that make numbers or lay them out.</summary>
static class NumberFilters
{
    public static Value Abs(Call call) => call[0] switch
    {
        Undefined missing => throw missing.Fail(),
        Float number => new Float(Math.Abs(number.Number)),
        var value => Int.Of(BigInteger.Abs(value.AsInteger()
            ?? throw TemplateException.Runtime($"bad operand type for abs(): '{value.TypeName}'"))),
    };

    /// <summary>The whole part of a double.</summary>
    public static Int Truncated(double number) => double.IsFinite(number) ? Int.Of(new BigInteger(number))
        : throw TemplateException.Runtime($"cannot convert float {Float.Spell(number)} to integer");

    public static Value ToInt(Call call) => call[0] switch
    {
        Undefined missing => throw missing.Fail(),
        Float { Number: var number } when double.IsFinite(number) => Truncated(number),
        Str text => ParseInt(text.Text.Trim(), call.Number(2, 10)) ?? Otherwise(call, Int.Of(0)),
        var value when value.AsInteger() is { } number => Int.Of(number),
        _ => Otherwise(call, Int.Of(0)),
    };

    public static Value ToFloat(Call call) => call[0] switch
    {
        Undefined missing => throw missing.Fail(),
        Str text => ParseFloat(text.Text.Trim()) is { } number ? new Float(number) : Otherwise(call, new Float(0)),
        var value => value.AsDouble() is { } number ? new Float(number) : Otherwise(call, new Float(0)),
    };

    public static Value Round(Call call)
    {
        if (call[0] is Undefined missing) throw missing.Fail();
        var value = call[0].AsDouble() ?? throw TemplateException.Runtime($"type {call[0].TypeName} cannot be rounded");
        var precision = Math.Clamp(call.Number(1), -400, 400);
        var method = call.Text(2, "common").Text;
        if (method == "common") return call[0].AsInteger() is { } whole
            ? Int.Of(RoundWhole(whole, precision)) : new Float(RoundReal(value, precision));
        var scale = Math.Pow(10, precision);
        return method switch
        {
            "ceil" => new Float(Math.Ceiling(value * scale) / scale),
            "floor" => new Float(Math.Floor(value * scale) / scale),
            _ => throw TemplateException.Runtime("method must be common, ceil or floor"),
        };
    }

    public static Str FileSize(Call call)
    {
        var bytes = ((Float)ToFloat(call)).Number;
        var (unit, names) = call.Flag(1) ? (1024.0, "KMGTPEZY".Select(c => c + "iB")) : (1000.0, "kMGTPEZY".Select(c => c + "B"));
        if (bytes == 1) return new Str("1 Byte");
        if (bytes < unit) return new Str($"{Truncated(bytes).Number} Bytes");
        foreach (var name in names)
        {
            bytes /= unit;
            if (bytes < unit || name[0] == 'Y') return new Str($"{NumberFormat.Fixed(bytes, 1)} {name}");
        }
        return Str.Empty;
    }

    static Value Otherwise(Call call, Value usual) => call.Optional(1) ?? usual;

    static BigInteger RoundWhole(BigInteger number, int precision)
    {
        if (precision >= 0) return number;
        var unit = BigInteger.Pow(10, -precision);
        var rest = ((number % unit) + unit) % unit;
        var below = number - rest;
        var half = (rest * 2).CompareTo(unit);
        return half > 0 || half == 0 && !(below / unit).IsEven ? below + unit : below;
    }

    static double RoundReal(double number, int precision)
    {
        if (!double.IsFinite(number)) return number;
        if (precision < 0) return (double)RoundWhole(new BigInteger(Math.Round(number, MidpointRounding.ToEven)), precision);
        return double.Parse(NumberFormat.Fixed(number, precision), CultureInfo.InvariantCulture);
    }

    static Int? ParseInt(string text, int radix)
    {
        var digits = text.Replace("_", "");
        if (digits.Length > 4300) return null;
        if (radix == 10 && BigInteger.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
            out var number)) return Int.Of(number);
        if (radix == 10) return ParseFloat(digits) is { } real && double.IsFinite(real) ? Truncated(real) : null;
        return ParseRadix(digits.ToLowerInvariant(), radix);
    }

    static Int? ParseRadix(string digits, int radix)
    {
        var negative = digits.StartsWith('-');
        digits = digits.TrimStart('-', '+');
        var prefix = digits.Length > 2 && digits[0] == '0' ? digits[1] switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (prefix != 0 && (radix == prefix || radix == 0)) (digits, radix) = (digits[2..], prefix);
        if (radix == 0) radix = 10;
        var number = BigInteger.Zero;
        foreach (var c in digits)
        {
            var digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? c - 'a' + 10 : radix;
            if (digit >= radix) return null;
            number = number * radix + digit;
        }
        return digits.Length == 0 ? null : Int.Of(negative ? -number : number);
    }

    static double? ParseFloat(string text) => text.TrimStart('+', '-').ToLowerInvariant() switch
    {
        "inf" or "infinity" => text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity,
        "nan" => double.NaN,
        _ => double.TryParse(text.Replace("_", ""),
            NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
            CultureInfo.InvariantCulture, out var number) ? number : null,
    };
}
