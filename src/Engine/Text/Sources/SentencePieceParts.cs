namespace Serving.Text;

/// <summary>What SentencePiece vocabularies differ in.</summary>
/// <param name="DummyPrefix">A space goes before the text.</param>
/// <param name="Unknown">The token for what is unknown.</param>
readonly record struct SentencePieceOptions(bool DummyPrefix, int? Unknown);

/// <summary>The parts that a SentencePiece BPE vocabulary makes, whether its file is a .model or a GGUF.</summary>
static class SentencePieceParts
{
    public static TokenizerParts Make(Vocabulary vocabulary, float[] scores, SentencePieceOptions options)
    {
        for (var id = 0; id < scores.Length; id++)
            if (float.IsNaN(scores[id]))
                throw new InvalidDataException($"The score of token {id} ('{vocabulary.Spelling(id)}') is not a number.");
        return new()
        {
            Vocabulary = vocabulary,
            DecodeRules = new(SpellingKind.SpaceMark, options.DummyPrefix, MarkEachInvalidByte: true, ControlIsText: false),
            Model = new ScoredMerges(vocabulary, scores, options.Unknown),
            Raw = Tokens(vocabulary, TokenKind.Control, guarded: true),
            Normalized = Tokens(vocabulary, TokenKind.UserDefined, guarded: false),
            Normalizers = [.. options.DummyPrefix ? [new DummyPrefix()] : Array.Empty<Rewriter>(), new Replace(" ", "\u2581")],
            Splitters = SpaceMark.SafeCuts(vocabulary),
        };
    }

    static AddedTokens Tokens(Vocabulary vocabulary, TokenKind kind, bool guarded) =>
        new(Enumerable.Range(0, vocabulary.Count).Where(id => vocabulary.Kind(id) == kind)
            .Select(id => new AddedToken(id, vocabulary.Spelling(id), guarded || AddedToken.LooksLikeControl(vocabulary.Spelling(id)))));
}
