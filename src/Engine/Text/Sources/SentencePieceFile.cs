using System.Text.Unicode;

namespace Serving.Text;

/// <summary>Reads SentencePiece's <c>.model</c>: the ModelProto of sentencepiece_model.proto.</summary>
static class SentencePieceFile
{
    const string File = "The SentencePiece model";
    const int BpeType = 2;

    record struct Settings()
    {
        public ulong Type = 1;
        public int Unknown = 0;
        public int Begin = 1;
        public int End = 2;
        public int Padding = -1;
        public bool SpaceAfter;
        public bool DummyPrefix = true;
        public bool RemovesSpaces = true;
        public bool EscapesSpaces = true;
        public bool HasTable;
    }

    public static Tokenizer Load(ReadOnlySpan<byte> model)
    {
        var tokens = new Vocabulary.Builder(Math.Min(model.Length / 12, 1 << 18));
        var scores = new List<float>();
        var settings = new Settings();
        var reader = new ProtobufReader(model, File);
        while (reader.Next())
            switch (reader.Field)
            {
                case 1:
                    ReadPiece(reader.Bytes, tokens, scores);
                    break;
                case 2:
                    ReadTrainer(reader.Bytes, ref settings);
                    break;
                case 3:
                    ReadNormalizer(reader.Bytes, ref settings);
                    break;
            }
        Check(settings, scores.Count);
        var vocabulary = tokens.Build();
        var ends = new EndTokens(Id(settings.Begin, vocabulary), Id(settings.End, vocabulary), null, null, Id(settings.Padding, vocabulary));
        return new(SentencePieceParts.Make(vocabulary, [.. scores], new(settings.DummyPrefix, Id(settings.Unknown, vocabulary))) with
        {
            Prefix = ends.Begin is { } begin ? [begin] : [],
            Ends = ends,
        });
    }

    static void ReadPiece(ReadOnlySpan<byte> message, Vocabulary.Builder tokens, List<float> scores)
    {
        var (id, score, type) = (scores.Count, 0f, 1UL);
        ReadOnlySpan<byte> piece = default;
        var reader = new ProtobufReader(message, $"{File}, piece {id},");
        while (reader.Next())
            if (reader.Field == 1)
                piece = reader.Bytes;
            else if (reader.Field == 2)
                score = reader.Float();
            else if (reader.Field == 3)
                type = reader.Number;
        if (piece.IsEmpty || !Utf8.IsValid(piece))
            throw new InvalidDataException($"{File}: piece {id} is {(piece.IsEmpty ? "empty" : "no valid UTF-8")}.");
        piece.CopyTo(tokens.Room(piece.Length));
        tokens.Add(id, piece.Length, Kind(type, id));
        scores.Add(score);
    }

    static TokenKind Kind(ulong type, int id) => type is >= (ulong)TokenKind.Normal and <= (ulong)TokenKind.Byte ? (TokenKind)type
        : throw new InvalidDataException($"{File}: piece {id} is of type {type}; types go from 1 to 6.");

    static void ReadTrainer(ReadOnlySpan<byte> message, ref Settings settings)
    {
        var reader = new ProtobufReader(message, $"{File}, trainer_spec,");
        while (reader.Next())
            switch (reader.Field)
            {
                case 3: settings.Type = reader.Number; break;
                case 24: settings.SpaceAfter = reader.Number != 0; break;
                case 40: settings.Unknown = (int)reader.Number; break;
                case 41: settings.Begin = (int)reader.Number; break;
                case 42: settings.End = (int)reader.Number; break;
                case 43: settings.Padding = (int)reader.Number; break;
            }
    }

    static void ReadNormalizer(ReadOnlySpan<byte> message, ref Settings settings)
    {
        var reader = new ProtobufReader(message, $"{File}, normalizer_spec,");
        while (reader.Next())
            switch (reader.Field)
            {
                case 2: settings.HasTable = !reader.Bytes.IsEmpty; break;
                case 3: settings.DummyPrefix = reader.Number != 0; break;
                case 4: settings.RemovesSpaces = reader.Number != 0; break;
                case 5: settings.EscapesSpaces = reader.Number != 0; break;
            }
    }

    static void Check(Settings settings, int pieces)
    {
        var type = settings.Type switch { 1 => "UNIGRAM", 2 => "BPE", 3 => "WORD", 4 => "CHAR", var other => $"{other}" };
        if (pieces == 0)
            throw new InvalidDataException($"{File} has no pieces.");
        if (settings.Type != BpeType)
            throw new InvalidDataException($"{File} is of type {type}; only BPE is read. Its tokenizer.json, where there is one, may be.");
        if (settings.HasTable)
            throw new InvalidDataException($"{File} normalises text by a table (precompiled_charsmap), which is not read; only the identity is.");
        if (settings.RemovesSpaces || !settings.EscapesSpaces || settings.SpaceAfter)
            throw new InvalidDataException($"{File} has remove_extra_whitespaces {settings.RemovesSpaces}, escape_whitespaces {settings.EscapesSpaces}, "
                + $"treat_whitespace_as_suffix {settings.SpaceAfter}; read are false, true, false.");
    }

    static int? Id(int id, Vocabulary vocabulary) => vocabulary.Kind(id) is TokenKind.Missing ? null : id;
}
