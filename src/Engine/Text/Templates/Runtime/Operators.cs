using System.Numerics;
using Serving.Text.Templates.Library;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Runtime;

/// <summary>A binary operator of the language.</summary>
delegate Value BinaryOperator(Rendering rendering, Value left, Value right);

/// <summary>Arithmetic as Python's: integers of any size, division and remainder rounding down, text and lists that add and
/// repeat.</summary>
static class Operators
{
    public static Value Add(Rendering rendering, Value left, Value right) => (left, right) switch
    {
        (Str a, Str b) => new TextBuilder(rendering).Append(a).Append(b).ToStr(),
        (ListValue a, ListValue b) => new ListValue(Joined(rendering, a.Items, b.Items)),
        (TupleValue a, TupleValue b) => new TupleValue(Joined(rendering, a.Items, b.Items)),
        (Str, not Undefined) =>
            throw TemplateException.Runtime($"can only concatenate str (not \"{right.TypeName}\") to str; use ~ to join any values"),
        _ => Arithmetic("+", left, right, static (a, b) => a + b, static (a, b) => a + b),
    };

    public static Value Subtract(Rendering rendering, Value left, Value right) =>
        Arithmetic("-", left, right, static (a, b) => a - b, static (a, b) => a - b);

    public static Value Multiply(Rendering rendering, Value left, Value right) => (left, right) switch
    {
        (Str or ListValue or TupleValue, _) when right.AsInteger() is { } times => Repeat(rendering, left, times),
        (_, Str or ListValue or TupleValue) when left.AsInteger() is { } times => Repeat(rendering, right, times),
        _ => Arithmetic("*", left, right, Product, static (a, b) => a * b),
    };

    public static Value Divide(Rendering rendering, Value left, Value right)
    {
        var (a, b) = Doubles("/", left, right);
        return b == 0 ? throw DivisionByZero() : new Float(a / b);
    }

    public static Value FloorDivide(Rendering rendering, Value left, Value right) =>
        Arithmetic("//", left, right, FloorQuotient, FloorQuotient);

    public static Value Modulo(Rendering rendering, Value left, Value right) => left is Str format
        ? PercentFormat.Apply(rendering, format, right)
        : Arithmetic("%", left, right, static (a, b) => a - FloorQuotient(a, b) * b, Remainder);

    public static Value Power(Rendering rendering, Value left, Value right)
    {
        if (left.AsInteger() is not { } number || right.AsInteger() is not { } power || power.Sign < 0)
        {
            var (a, b) = Doubles("**", left, right);
            if (a == 0 && b < 0) throw TemplateException.Runtime("0.0 cannot be raised to a negative power");
            return new Float(Math.Pow(a, b));
        }
        if (BigInteger.Abs(number) <= 1) return Int.Of(power.IsZero ? 1 : number.Sign < 0 && power.IsEven ? 1 : number);
        Int.CheckBits((long)BigInteger.Min(power * (number.GetBitLength() - 1), long.MaxValue));
        return Int.Of(BigInteger.Pow(number, (int)power));
    }

    public static Value Negate(Value value) => value switch
    {
        Undefined missing => throw missing.Fail(),
        Float number => new Float(-number.Number),
        _ => Int.Of(-(value.AsInteger() ?? throw TemplateException.Runtime($"bad operand type for unary -: '{value.TypeName}'"))),
    };

    public static Value Positive(Value value) => value is Float ? value : Negate(Negate(value));

    static Value Arithmetic(string symbol, Value left, Value right, Func<BigInteger, BigInteger, BigInteger> whole, Func<double, double,
        double> real)
    {
        if (left.AsInteger() is { } a && right.AsInteger() is { } b) return Int.Of(whole(a, b));
        var (x, y) = Doubles(symbol, left, right);
        return new Float(real(x, y));
    }

    static (double, double) Doubles(string symbol, Value left, Value right)
    {
        if (left is Undefined missing || (missing = (right as Undefined)!) is not null) throw missing.Fail();
        return left.AsDouble() is { } a && right.AsDouble() is { } b
            ? (a, b)
            : throw TemplateException.Runtime($"unsupported operand type(s) for {symbol}: '{left.TypeName}' and '{right.TypeName}'");
    }

    static BigInteger Product(BigInteger a, BigInteger b)
    {
        if (!a.IsZero && !b.IsZero) Int.CheckBits(a.GetBitLength() + b.GetBitLength() - 2);
        return a * b;
    }

    static BigInteger FloorQuotient(BigInteger a, BigInteger b)
    {
        if (b.IsZero) throw DivisionByZero();
        var quotient = BigInteger.DivRem(a, b, out var remainder);
        return !remainder.IsZero && remainder.Sign != b.Sign ? quotient - 1 : quotient;
    }

    static double FloorQuotient(double a, double b)
    {
        var quotient = (a - Remainder(a, b)) / b;
        var floor = Math.Floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    static double Remainder(double a, double b)
    {
        if (b == 0) throw DivisionByZero();
        var remainder = a % b;
        return remainder != 0 && remainder < 0 != b < 0 ? remainder + b : remainder;
    }

    static Value Repeat(Rendering rendering, Value value, BigInteger times)
    {
        var count = (int)BigInteger.Clamp(times, 0, int.MaxValue);
        if (value is Str text)
        {
            rendering.Charge((long)text.Text.Length * count);
            var output = new TextBuilder(rendering);
            for (var i = 0; i < count && text.Text.Length > 0; i++) output.Append(text);
            return output.ToStr();
        }
        var items = value.Items!;
        rendering.Step((long)items.Count * count);
        var repeated = new Value[items.Count * count];
        for (var i = 0; i < repeated.Length; i++) repeated[i] = items[i % items.Count];
        return value is ListValue ? new ListValue(repeated) : new TupleValue(repeated);
    }

    static List<Value> Joined(Rendering rendering, IReadOnlyList<Value> left, IReadOnlyList<Value> right)
    {
        rendering.Step(left.Count + right.Count);
        return [.. left, .. right];
    }

    static TemplateException DivisionByZero() => TemplateException.Runtime("division by zero");
}
