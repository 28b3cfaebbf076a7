using System.Text;
using Serving.Text.Templates.Runtime;

namespace Serving.Text.Templates.Values;

/// <summary>Builds a string within the limits of a rendering and remembers which parts came from the request.</summary>
sealed class TextBuilder(Rendering rendering)
{
    readonly StringBuilder _text = new();
    readonly List<int> _ends = [];

    public Rendering Rendering { get; } = rendering;

    public int Length => _text.Length;

    public TextBuilder Append(ReadOnlySpan<char> text, bool content = false)
    {
        Rendering.Charge(text.Length, with: _text.Length);
        if (content && text.Length > 0) Marks.Add(_ends, _text.Length, _text.Length + text.Length);
        _text.Append(text);
        return this;
    }

    public TextBuilder Append(Str text) => Append(text, 0, text.Text.Length);

    /// <summary>Appends a part of a string, given in UTF-16 units.</summary>
    public TextBuilder Append(Str text, int start, int length)
    {
        var at = _text.Length;
        Append(text.Text.AsSpan(start, length));
        if (!text.Marks.Any) return this;
        var ends = text.Marks.Slice(start, length).Ends;
        for (var i = 0; i < ends.Length; i += 2) Marks.Add(_ends, at + ends[i], at + ends[i + 1]);
        return this;
    }

    public Str ToStr()
    {
        Rendering.Charge(_text.Length);
        return new Str(_text.ToString(), Marks.Of(_ends));
    }
}
