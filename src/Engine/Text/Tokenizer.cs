using System.Text;

namespace Serving.Text;

/// <summary>Text into token ids and back, exactly as the library that published the vocabulary does it. Immutable; any number of threads may use one.</summary>
public sealed class Tokenizer
{
    readonly TokenizerParts _parts;
    readonly TokenBytes _bytes;

    internal Tokenizer(TokenizerParts parts)
    {
        _parts = parts;
        _bytes = new(parts.Vocabulary, parts.DecodeRules);
    }

    /// <summary>Reads a Hugging Face <c>tokenizer.json</c>; anything in it that would change ids and is not understood is an <see cref="InvalidDataException"/> that names it.</summary>
    /// <param name="tokenizer">The file's bytes.</param>
    /// <param name="configuration">The bytes of <c>tokenizer_config.json</c>, which names the tokens at the ends of a text; may be empty.</param>
    public static Tokenizer FromJson(ReadOnlySpan<byte> tokenizer, ReadOnlySpan<byte> configuration = default) =>
        JsonTokenizer.Load(tokenizer, configuration);

    /// <summary>Reads a SentencePiece <c>tokenizer.model</c> of the BPE type; another type, or a normalisation by table, is an <see cref="InvalidDataException"/>.</summary>
    public static Tokenizer FromSentencePiece(ReadOnlySpan<byte> model) => SentencePieceFile.Load(model);

    /// <summary>Makes the tokenizer of a GGUF file; what the file lacks or contradicts is an <see cref="InvalidDataException"/>.</summary>
    public static Tokenizer FromGguf(GgufVocabulary vocabulary) => GgufTokenizer.Load(vocabulary);

    /// <summary>One more than the highest id; a model's logits may be wider.</summary>
    public int VocabularySize => _parts.Vocabulary.Count;

    /// <summary>The token that begins a text, where the source names one.</summary>
    public int? BeginOfText => _parts.Ends.Begin;

    /// <summary>The token that ends a text, where the source names one.</summary>
    public int? EndOfText => _parts.Ends.End;

    /// <summary>The token that ends a turn of a chat, where the source names one apart from <see cref="EndOfText"/>.</summary>
    public int? EndOfTurn => _parts.Ends.Turn;

    /// <summary>The token that ends a message that is not the end of its turn, where the source names one.</summary>
    public int? EndOfMessage => _parts.Ends.Message;

    /// <summary>The token that fills unused places, where the source names one.</summary>
    public int? Padding => _parts.Ends.Padding;

    /// <summary>The ids that <c>addSpecial</c> puts before a text.</summary>
    public ReadOnlySpan<int> Prefix => _parts.Prefix;

    /// <summary>The ids that <c>addSpecial</c> puts after a text.</summary>
    public ReadOnlySpan<int> Suffix => _parts.Suffix;

    internal DecodeRules DecodeRules => _parts.DecodeRules;

    /// <summary>The ids of a text. <paramref name="addSpecial"/> adds what the tokenizer's own rules put around a plain text; <paramref name="parseSpecial"/> recognises
    /// control tokens spelled in the text, which untrusted text must not be granted.</summary>
    public int[] Encode(string text, bool addSpecial, bool parseSpecial) => Encode([new(text, parseSpecial)], addSpecial);

    /// <summary>The ids of the joined parts, as of one text, except that no control token is recognised where its spelling touches a part with <see cref="TextPart.ParseSpecial"/> false.</summary>
    public int[] Encode(ReadOnlySpan<TextPart> parts, bool addSpecial) => Encode(Joined(parts), addSpecial, int.MaxValue)!;

    /// <summary>The ids of the joined parts, or null where they are more than <paramref name="most"/>: no word is merged after the one that makes that certain, nor a word
    /// that is itself too long to be so few tokens.</summary>
    public int[]? EncodeAtMost(int most, ReadOnlySpan<TextPart> parts, bool addSpecial) => Encode(Joined(parts), addSpecial, most);

    static MarkedBuffer Joined(ReadOnlySpan<TextPart> parts)
    {
        var length = 0L;
        foreach (var part in parts)
            length += part.Text.Length;
        var joined = new MarkedBuffer(length);
        foreach (var part in parts)
            joined.Append(part.Text, literal: !part.ParseSpecial);
        return joined;
    }

    /// <summary>The ids of a rendered chat: control tokens are recognised, except where their spelling touches one of <paramref name="literal"/>, the UTF-16 ranges that hold untrusted text.</summary>
    public int[] Encode(string text, IReadOnlyList<Range> literal, bool addSpecial)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(literal);
        var marked = new MarkedBuffer(text.Length);
        marked.Append(text, literal: false);
        foreach (var range in literal)
            marked.MarkLiteral(range);
        return Encode(marked, addSpecial, int.MaxValue)!;
    }

    int[]? Encode(MarkedBuffer text, bool addSpecial, int most)
    {
        var ids = new TokenList(most, (int)Math.Min(most, text.Written.Text.Length / 3 + 8L));
        try
        {
            if (addSpecial)
                ids.Add(_parts.Prefix);
            new EncodingPass(_parts, ids).Text(text.Written);
            if (addSpecial)
                ids.Add(_parts.Suffix);
            return ids.ToArray();
        }
        catch (TooManyTokensException)
        {
            return null;
        }
    }

    /// <summary>The text of the ids, U+FFFD where bytes are no character. <paramref name="skipSpecial"/> leaves control tokens out; ids without a token give nothing.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial)
    {
        var text = new StringBuilder(ids.Length * 4);
        var detokenizer = new Detokenizer(this, skipSpecial);
        foreach (var id in ids)
            detokenizer.Push(id, text);
        detokenizer.Flush(text);
        return text.ToString();
    }

    /// <summary>The bytes that a token adds to a text, possibly part of a character; none for an id without a token.</summary>
    public ReadOnlySpan<byte> Bytes(int id) => _bytes[id];

    /// <summary>The token as its vocabulary spells it (byte-level alphabets and space marks included); empty for an id without a token.</summary>
    public string Token(int id) => _parts.Vocabulary.Spelling(id);

    /// <summary>The id of a token by the spelling of its vocabulary.</summary>
    public int? IdOf(string token) => _parts.Vocabulary.Find(token) is var id and >= 0 ? id : null;

    /// <summary>What a token is for.</summary>
    public TokenKind Kind(int id) => _parts.Vocabulary.Kind(id);

    /// <summary>Whether a token is no text: a control token, or the one for what is unknown.</summary>
    public bool IsSpecial(int id) => Kind(id) is TokenKind.Control or TokenKind.Unknown;
}
