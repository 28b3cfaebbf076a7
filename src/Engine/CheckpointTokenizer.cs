using Serving.Model;
using Serving.Text;

namespace Serving;

/// <summary>Makes the tokenizer that the files of a checkpoint describe.</summary>
public static class CheckpointTokenizer
{
    const long MostBytes = 256 << 20;

    /// <summary>
    /// The tokenizer of tokenizer.json, else of a GGUF vocabulary, else of tokenizer.model; null if the checkpoint has none of them.
    /// What cannot be understood is a <see cref="CheckpointException"/> that names the file.
    /// </summary>
    public static Tokenizer? Load(Checkpoint checkpoint)
    {
        var source = checkpoint.Text;
        var file = source.TokenizerJson ?? source.Vocabulary?.Source ?? source.SentencePiece;
        try
        {
            return source switch
            {
                { TokenizerJson: { } json } => FromJson(json, source.TokenizerConfig?.Source),
                { Vocabulary: { } vocabulary } => Tokenizer.FromGguf(Read(vocabulary)),
                { SentencePiece: { } model } => FromSentencePiece(model),
                _ => null,
            };
        }
        catch (InvalidDataException error)
        {
            throw new CheckpointException($"{file}: {error.Message}", error);
        }
    }

    static Tokenizer FromJson(string path, string? configurationPath)
    {
        using var file = Open(path);
        using var configuration = configurationPath is null ? null : Open(configurationPath);
        return Tokenizer.FromJson(Bytes(file), configuration is null ? default : Bytes(configuration));
    }

    static Tokenizer FromSentencePiece(string path)
    {
        using var file = Open(path);
        return Tokenizer.FromSentencePiece(Bytes(file));
    }

    static ReadOnlySpan<byte> Bytes(MappedFile file) => file.Bytes(0, (int)file.Length);

    static MappedFile Open(string path)
    {
        var file = MappedFile.Open(path);
        if (file.Length <= MostBytes)
            return file;
        file.Dispose();
        throw new CheckpointException($"{path} has {file.Length} bytes; at most {MostBytes} are read.");
    }

    static GgufVocabulary Read(GgufMetadata metadata)
    {
        const string Prefix = "tokenizer.ggml.";
        int? Id(string name) => metadata.Int($"{Prefix}{name}_token_id") is { } id and >= 0 and <= int.MaxValue ? (int)id : null;
        return new()
        {
            Model = metadata.Text(Prefix + "model")
                ?? throw new CheckpointException($"{metadata.Source}: metadata key {Prefix}model is missing."),
            Pre = metadata.Text(Prefix + "pre"),
            Tokens = metadata.Texts(Prefix + "tokens")!,
            Scores = metadata.Floats(Prefix + "scores") is { } scores ? [.. scores.Select(score => (float)score)] : null,
            TokenTypes = metadata.Ints(Prefix + "token_type") is { } types ? [.. types.Select(Narrow)] : null,
            Merges = metadata.Texts(Prefix + "merges"),
            BeginOfText = Id("bos"),
            EndOfText = Id("eos"),
            EndOfTurn = Id("eot"),
            EndOfMessage = Id("eom"),
            Unknown = Id("unknown"),
            Padding = Id("padding"),
            AddBeginOfText = metadata.Bool(Prefix + "add_bos_token"),
            AddEndOfText = metadata.Bool(Prefix + "add_eos_token"),
            AddSpacePrefix = metadata.Bool(Prefix + "add_space_prefix"),
        };
    }

    // A kind beyond 32 bits is unknown all the same.
    static int Narrow(long value) => (int)Math.Clamp(value, int.MinValue, int.MaxValue);
}
