using System.Text;

namespace Serving.Text;

/// <summary>Makes a tokenizer of a GGUF vocabulary.</summary>
static class GgufTokenizer
{
    public static Tokenizer Load(GgufVocabulary source)
    {
        var vocabulary = ReadTokens(source);
        return source.Model switch
        {
            "gpt2" => new(ByteLevel(source, vocabulary)),
            "llama" => new(SentencePiece(source, vocabulary)),
            _ => throw new InvalidDataException($"tokenizer.ggml.model is '{source.Model}'; read are 'gpt2' (byte-level BPE) and 'llama' (SentencePiece BPE)."),
        };
    }

    static TokenizerParts ByteLevel(GgufVocabulary source, Vocabulary vocabulary)
    {
        var named = PreTokenizers.Get(source.Pre);
        var merges = source.Merges ?? throw new InvalidDataException("The vocabulary has no tokenizer.ggml.merges, which model 'gpt2' needs.");
        var ends = Ends(source, vocabulary);
        return new()
        {
            Vocabulary = vocabulary,
            DecodeRules = new(SpellingKind.ByteLevel, DropFirstSpace: false, MarkEachInvalidByte: false, ControlIsText: true),
            Model = new RankedMerges(vocabulary, ReadMerges(merges, vocabulary), new MergeOptions { ByteLevel = true, WholeWords = named.WholeWords }),
            Raw = new(Added(source, vocabulary)),
            Normalizers = named.ComposesText ? [new Nfc()] : [],
            Splitters = [.. named.Splitters.Select(make => make())],
            Prefix = Around(source.AddBeginOfText ?? named.AddsBeginOfText, ends.Begin, "add_bos_token", "bos_token_id"),
            Suffix = Around(source.AddEndOfText ?? false, ends.End, "add_eos_token", "eos_token_id"),
            Ends = ends,
        };
    }

    static TokenizerParts SentencePiece(GgufVocabulary source, Vocabulary vocabulary)
    {
        var scores = source.Scores ?? throw new InvalidDataException("The vocabulary has no tokenizer.ggml.scores, which model 'llama' needs.");
        var ends = Ends(source, vocabulary);
        var unknown = Check(source.Unknown, vocabulary, "unknown_token_id");
        return SentencePieceParts.Make(vocabulary, [.. scores], new(source.AddSpacePrefix ?? true, unknown)) with
        {
            Prefix = Around(source.AddBeginOfText ?? true, ends.Begin, "add_bos_token", "bos_token_id"),
            Suffix = Around(source.AddEndOfText ?? false, ends.End, "add_eos_token", "eos_token_id"),
            Ends = ends,
        };
    }

    static Vocabulary ReadTokens(GgufVocabulary source)
    {
        var (tokens, types) = (source.Tokens, source.TokenTypes);
        Match(types?.Count, tokens.Count, "token_type");
        Match(source.Scores?.Count, tokens.Count, "scores");
        var builder = new Vocabulary.Builder(tokens.Count);
        for (var id = 0; id < tokens.Count; id++)
        {
            var type = types?[id] ?? (int)TokenKind.Normal;
            if (type is < (int)TokenKind.Normal or > (int)TokenKind.Byte)
                throw new InvalidDataException($"Token {id} ('{tokens[id]}') has tokenizer.ggml.token_type {type}; types go from 1 to 6.");
            builder.Add(id, tokens[id], (TokenKind)type);
        }
        return builder.Build();
    }

    static void Match(int? count, int tokens, string key)
    {
        if (count is { } other && other != tokens)
            throw new InvalidDataException($"tokenizer.ggml.{key} has {other} entries for {tokens} tokens.");
    }

    static PairTable ReadMerges(IReadOnlyList<string> merges, Vocabulary vocabulary)
    {
        var list = new MergeList(vocabulary, merges.Count);
        var line = new byte[256];
        foreach (var merge in merges)
        {
            if (line.Length < Encoding.UTF8.GetMaxByteCount(merge.Length))
                line = new byte[Encoding.UTF8.GetMaxByteCount(merge.Length)];
            list.Add(line.AsSpan(0, Encoding.UTF8.GetBytes(merge, line)));
        }
        return list.Pairs;
    }

    static IEnumerable<AddedToken> Added(GgufVocabulary source, Vocabulary vocabulary)
    {
        for (var id = 0; id < vocabulary.Count; id++)
            if (vocabulary.Kind(id) is TokenKind.Control or TokenKind.UserDefined or TokenKind.Unknown)
                yield return new(id, source.Tokens[id], vocabulary.Kind(id) is not TokenKind.UserDefined || AddedToken.LooksLikeControl(source.Tokens[id]));
    }

    static EndTokens Ends(GgufVocabulary source, Vocabulary vocabulary) => new(
        Check(source.BeginOfText, vocabulary, "bos_token_id"),
        Check(source.EndOfText, vocabulary, "eos_token_id"),
        Check(source.EndOfTurn, vocabulary, "eot_token_id"),
        Check(source.EndOfMessage, vocabulary, "eom_token_id"),
        Check(source.Padding, vocabulary, "padding_token_id"));

    static int? Check(int? id, Vocabulary vocabulary, string key) =>
        id is not { } value || vocabulary.Kind(value) is not TokenKind.Missing ? id : throw new InvalidDataException(
            $"tokenizer.ggml.{key} is {value}; the vocabulary has {vocabulary.Count} tokens.");

    static int[] Around(bool wanted, int? id, string flag, string key) => !wanted ? [] : id is { } value ? [value] : throw new InvalidDataException(
        $"tokenizer.ggml.{flag} asks for a token that tokenizer.ggml.{key} does not name.");
}
