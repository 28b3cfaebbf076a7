using System.Globalization;
using System.Text;
using Serving.Text.Templates.Library;

namespace Serving.Text.Templates.Values;

/// <summary>A string; length and index count code points, marks count UTF-16 units.</summary>
sealed class Str(string text, Marks marks = default) : Value
{
    public static readonly Str Empty = new("");

    int _points = -1;

    public string Text { get; } = text;

    public Marks Marks { get; } = marks;

    public override string TypeName => "str";

    public override bool IsTrue => Text.Length > 0;

    public override bool IsSequence => true;

    public override int? Length => Points;

    int Points => _points >= 0 ? _points : _points = CountPoints();

    /// <summary>A string that is wholly text of the request where any of its sources is in part.</summary>
    public static Str From(string text, params ReadOnlySpan<Str> sources)
    {
        foreach (var source in sources)
            if (source.Marks.Any) return new Str(text, Marks.Whole(text.Length));
        return new Str(text);
    }

    public static Str Content(string text) => new(text, Marks.Whole(text.Length));

    /// <summary>A substring in UTF-16 units.</summary>
    public Str Slice(int start, int length) =>
        length == Text.Length ? this : new Str(Text.Substring(start, length), Marks.Slice(start, length));

    public override IReadOnlyList<Value> Items
    {
        get
        {
            var items = new Value[Points];
            for (int i = 0, at = 0; i < items.Length; i++)
            {
                var width = WidthAt(at);
                items[i] = Slice(at, width);
                at += width;
            }
            return items;
        }
    }

    public override Value? Member(string name) =>
        StringMethods.All.TryGetValue(name, out var method) ? new BoundMethod(this, method) : null;

    public override Value? Lookup(Value key)
    {
        if (key.AsInteger() is not { } index) return null;
        if (index < 0) index += Points;
        if (index < 0 || index >= Points) return null;
        var at = UnitAt((int)index);
        return Slice(at, WidthAt(at));
    }

    /// <summary>The UTF-16 offset of a code point.</summary>
    public int UnitAt(int point)
    {
        if (Points == Text.Length) return point;
        var at = 0;
        for (var i = 0; i < point; i++) at += WidthAt(at);
        return at;
    }

    /// <summary>The number of the code point at a UTF-16 offset.</summary>
    public int PointAt(int unit)
    {
        if (Points == Text.Length) return unit;
        var point = 0;
        for (var at = 0; at < unit; at += WidthAt(at)) point++;
        return point;
    }

    public override void Write(TextBuilder output, bool quoted)
    {
        if (quoted) output.Append(Quoted(), Marks.Any);
        else output.Append(this);
    }

    int WidthAt(int unit) => unit + 1 < Text.Length && char.IsSurrogatePair(Text[unit], Text[unit + 1]) ? 2 : 1;

    int CountPoints()
    {
        var count = 0;
        for (var at = 0; at < Text.Length; at += WidthAt(at)) count++;
        return count;
    }

    string Quoted()
    {
        var quote = Text.Contains('\'') && !Text.Contains('"') ? '"' : '\'';
        var spelled = new StringBuilder(Text.Length + 2).Append(quote);
        for (var at = 0; at < Text.Length; at += WidthAt(at))
            Escape(spelled, WidthAt(at) == 2 ? char.ConvertToUtf32(Text, at) : Text[at], quote);
        return spelled.Append(quote).ToString();
    }

    static void Escape(StringBuilder spelled, int point, char quote)
    {
        switch (point)
        {
            case '\n': spelled.Append("\\n"); break;
            case '\r': spelled.Append("\\r"); break;
            case '\t': spelled.Append("\\t"); break;
            case '\\': spelled.Append("\\\\"); break;
            case var _ when point == quote: spelled.Append('\\').Append(quote); break;
            case var _ when IsPrintable(point): spelled.Append(char.ConvertFromUtf32(point)); break;
            case < 0x100: spelled.Append($"\\x{point:x2}"); break;
            case < 0x10000: spelled.Append($"\\u{point:x4}"); break;
            default: spelled.Append($"\\U{point:x8}"); break;
        }
    }

    static bool IsPrintable(int point) => point == ' ' || point is < 0xD800 or > 0xDFFF && CharUnicodeInfo.GetUnicodeCategory(point) is not
        (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse
        or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
