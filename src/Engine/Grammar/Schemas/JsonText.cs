using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>
/// The grammar of JSON (RFC 8259), kept to texts that end and that every reader takes: white space is bounded, numbers have at most 18
/// digits before the point, 16 after it and a short exponent, and escapes spell whole characters.
/// </summary>
static class JsonText
{
    public const int IntegerDigits = 18, FractionDigits = 16;

    /// <summary>Characters that stand for themselves in a string.</summary>
    public static CharSet Plain { get; } = CharSet.Of((0x20, 0x10FFFF)).Except(CharSet.Of("\"\\"));

    static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Nothing, a space, or a line break and its indentation.</summary>
    public static Definition Space { get; } = Definition.Of("white space", Expr.OneOf([
        Expr.Empty, Expr.Text(" "), Expr.Of(Expr.Text("\n"), Expr.Times(CharSet.Of(" \t").ToUtf8(), 0, 20))]));

    public static Definition Character { get; } = Definition.Of("character", Expr.OneOf([
        Plain.ToUtf8(),
        Expr.Of(Expr.Text("\\"), Expr.OneOf([CharSet.Of("\"\\/bfnrt").ToUtf8(), Expr.Of(Expr.Text("u"), Scalar())]))]));

    public static Definition String { get; } = Definition.Of("string", Quoted(Expr.Times(Character.Body, 0, null)));

    public static Definition Integer { get; } = Definition.Of("integer", Expr.Of(Expr.Text("-").OrEmpty(), Whole()));

    public static Definition Number { get; } = Definition.Of("number", Expr.Of(
        Integer.Body,
        Expr.Of(Expr.Text("."), Expr.Times(Digit('0', '9'), 1, FractionDigits)).OrEmpty(),
        Expr.Of(CharSet.Of("eE").ToUtf8(), CharSet.Of("+-").ToUtf8().OrEmpty(), Expr.Times(Digit('0', '9'), 1, 2)).OrEmpty()));

    public static Definition Value { get; } = new("value");

    public static Definition Object { get; } = Definition.Of("object", Braced("{", "}", Listed(
        Expr.Of(String.Called(), Colon, Value.Called()), 0, null)));

    public static Definition Array { get; } = Definition.Of("array", Braced("[", "]", Listed(Value.Called(), 0, null)));

    static JsonText() => Value.Body = Expr.OneOf([
        Object.Called(), Array.Called(), String.Called(), Number.Called(), Expr.Text("true"), Expr.Text("false"), Expr.Text("null")]);

    public static Expr Colon => Expr.Of(Expr.Text(":"), Expr.Text(" ").OrEmpty());

    public static Expr Comma => Expr.Of(Expr.Text(","), Space.Called());

    public static Expr Digit(char low, char high) => Expr.Byte((byte)low, (byte)high);

    public static Expr Quoted(Expr content) => Expr.Of(Expr.Text("\""), content, Expr.Text("\""));

    /// <summary>Content between brackets, with white space beside it; where there is none, one white space at most.</summary>
    public static Expr Braced(string open, string close, Expr content) =>
        Expr.Of(Expr.Text(open), Space.Called(), Expr.Of(content, Space.Called()).OrEmpty(), Expr.Text(close));

    /// <summary>Content that must be there, between brackets, with white space beside it.</summary>
    public static Expr Filled(string open, string close, Expr content) =>
        Expr.Of(Expr.Text(open), Space.Called(), content, Space.Called(), Expr.Text(close));

    /// <summary>At least one item: <paramref name="min"/> and <paramref name="max"/> count those that may follow the first.</summary>
    public static Expr Listed(Expr item, int min, int? max) => Expr.Of(item, Expr.Times(Expr.Of(Comma, item), min, max));

    /// <summary>A value, spelled as short as can be.</summary>
    public static Expr Literal(JsonElement value) => Expr.Text(Spell(value));

    public static string Spell(JsonElement value) => Spell(value.WriteTo);

    public static string Spell(string value) => Spell(json => json.WriteStringValue(value));

    static string Spell(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Readable))
            write(json);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>One character of a set within a string: as itself, or escaped where JSON wants that.</summary>
    public static Expr InString(CharSet set)
    {
        var plain = set.And(Plain);
        var escaped = set.Except(Plain).Ranges.SelectMany(r => Enumerable.Range(r.Low, r.High - r.Low + 1));
        return Expr.OneOf([.. plain.IsEmpty ? [] : (Expr[])[plain.ToUtf8()], .. escaped.Select(c => Expr.Text(Escape((char)c)))]);
    }

    /// <summary>A string as <see cref="InString"/> spells each of its characters.</summary>
    public static string SpellInString(string value) =>
        $"\"{string.Concat(value.EnumerateRunes().Select(rune => Plain.Contains(rune.Value) ? rune.ToString() : Escape((char)rune.Value)))}\"";

    static string Escape(char character) => character switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\b' => "\\b",
        '\f' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => $"\\u{(int)character:x4}",
    };

    static Expr Whole() => Expr.OneOf([
        Expr.Text("0"), Expr.Of(Digit('1', '9'), Expr.Times(Digit('0', '9'), 0, IntegerDigits - 1))]);

    /// <summary>Four hexadecimal digits, but not those of half a surrogate pair.</summary>
    static Expr Scalar()
    {
        var any = CharSet.Of(('0', '9'), ('a', 'f'), ('A', 'F'));
        return Expr.OneOf([
            Expr.Of(any.Except(CharSet.Of("dD")).ToUtf8(), Hex(), Hex(), Hex()),
            Expr.Of(CharSet.Of("dD").ToUtf8(), CharSet.Of(('0', '7')).ToUtf8(), Hex(), Hex())]);

        Expr Hex() => any.ToUtf8();
    }
}
