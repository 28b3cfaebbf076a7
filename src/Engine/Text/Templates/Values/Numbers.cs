using System.Globalization;
using System.Numerics;
using Serving.Text.Templates.Runtime;

namespace Serving.Text.Templates.Values;

/// <summary>An integer of any size up to <see cref="MaxBits"/>.</summary>
sealed class Int : Value
{
    /// <summary>About the 4300 digits that Python itself agrees to print.</summary>
    public const int MaxBits = 14_284;

    static readonly Int[] Small = [.. Enumerable.Range(-16, 272).Select(n => new Int(n))];

    Int(BigInteger number) => Number = number;

    public BigInteger Number { get; }

    public override string TypeName => "int";

    public override bool IsTrue => !Number.IsZero;

    public static Int Of(BigInteger number)
    {
        if (number >= -16 && number < 256) return Small[(int)number + 16];
        CheckBits(number.GetBitLength());
        return new Int(number);
    }

    /// <summary>Refuses a result before it is computed.</summary>
    public static void CheckBits(long bits)
    {
        if (bits > MaxBits) throw TemplateException.Limit($"An integer of {bits} bits is larger than the limit of {MaxBits}.");
    }

    public override void Write(TextBuilder output, bool quoted) => output.Append(Number.ToString(CultureInfo.InvariantCulture));
}

/// <summary>A double, printed as Python prints it.</summary>
sealed class Float(double number) : Value
{
    public double Number { get; } = number;

    public override string TypeName => "float";

    public override bool IsTrue => Number != 0;

    public override void Write(TextBuilder output, bool quoted) => output.Append(Spell(Number));

    /// <summary>The shortest digits that read back as the same double, with an exponent below 1e-4 and from 1e16 on.</summary>
    public static string Spell(double number)
    {
        if (double.IsNaN(number)) return "nan";
        if (double.IsInfinity(number)) return number > 0 ? "inf" : "-inf";
        var shortest = number.ToString("R", CultureInfo.InvariantCulture);
        var sign = double.IsNegative(number) ? "-" : "";
        var (digits, point) = Digits(shortest.TrimStart('-'));
        if (number == 0) return sign + "0.0";
        var exponent = point - 1;
        if (exponent is >= -4 and < 16)
            return sign + Plain(digits, point);
        var mantissa = digits.Length == 1 ? digits : $"{digits[0]}.{digits[1..]}";
        return $"{sign}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }

    static string Plain(string digits, int point) =>
        point <= 0 ? "0." + new string('0', -point) + digits
        : point >= digits.Length ? digits + new string('0', point - digits.Length) + ".0"
        : digits[..point] + "." + digits[point..];

    /// <summary>Significant digits without zeros around them, and where the decimal point stands among them.</summary>
    static (string Digits, int Point) Digits(string spelled)
    {
        var exponentAt = spelled.IndexOf('E');
        var exponent = exponentAt < 0
            ? 0 : int.Parse(spelled.AsSpan(exponentAt + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var mantissa = exponentAt < 0 ? spelled : spelled[..exponentAt];
        var dot = mantissa.IndexOf('.');
        var point = (dot < 0 ? mantissa.Length : dot) + exponent;
        var digits = mantissa.Replace(".", "");
        var leading = digits.Length - digits.TrimStart('0').Length;
        return (digits.Trim('0'), point - leading);
    }
}

/// <summary>Reading values as numbers, where a bool counts as 0 or 1.</summary>
static class Numeric
{
    public static BigInteger? AsInteger(this Value value) => value switch
    {
        Int number => number.Number,
        Bool flag => flag.IsTrue ? BigInteger.One : BigInteger.Zero,
        _ => null,
    };

    public static double? AsDouble(this Value value) => value is Float number ? number.Number : (double?)value.AsInteger();
}
