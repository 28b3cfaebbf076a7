namespace Serving.Text;

/// <summary>A text of which some characters are literal: no control token is recognised where it would touch one.</summary>
readonly ref struct MarkedText(ReadOnlySpan<char> text, ReadOnlySpan<bool> literal)
{
    public ReadOnlySpan<char> Text { get; } = text;

    /// <summary>One flag a character.</summary>
    public ReadOnlySpan<bool> Literal { get; } = literal;

    public MarkedText this[Range range] => new(Text[range], Literal[range]);
}

/// <summary>A growing text with its literal flags.</summary>
sealed class MarkedBuffer
{
    // Far above any prompt; a file's replacements could otherwise grow a text without bound.
    const int MaxLength = 1 << 26;

    char[] _text = [];
    bool[] _literal = [];
    int _length;

    /// <summary>A buffer with room for a text of about <paramref name="capacity"/> characters.</summary>
    public MarkedBuffer(long capacity) => Grow(capacity);

    public MarkedText Written => new(_text.AsSpan(0, _length), _literal.AsSpan(0, _length));

    public void Append(char character, bool literal) => Append([character], literal);

    public void Append(ReadOnlySpan<char> text, bool literal)
    {
        Reserve(text.Length);
        text.CopyTo(_text.AsSpan(_length));
        _literal.AsSpan(_length, text.Length).Fill(literal);
        _length += text.Length;
    }

    public void Append(MarkedText text)
    {
        Reserve(text.Text.Length);
        text.Text.CopyTo(_text.AsSpan(_length));
        text.Literal.CopyTo(_literal.AsSpan(_length));
        _length += text.Text.Length;
    }

    /// <summary>Makes a range of what is written literal.</summary>
    public void MarkLiteral(Range range) => _literal.AsSpan(0, _length)[range].Fill(true);

    void Reserve(int more)
    {
        if (_text.Length - _length < more)
            Grow((long)_length + more);
    }

    void Grow(long needed)
    {
        if (needed > MaxLength)
            throw new InvalidDataException($"The text has more than {MaxLength} characters, or its tokenizer's normalizer makes it so long.");
        Array.Resize(ref _text, (int)Math.Max(needed, Math.Min(_text.Length * 2L, MaxLength)));
        Array.Resize(ref _literal, _text.Length);
    }
}
