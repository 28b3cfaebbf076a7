namespace Serving.Text;

/// <summary>A vocabulary as the metadata of a GGUF file gives it (<c>tokenizer.ggml.*</c>); what a file leaves out is null.</summary>
public sealed record GgufVocabulary
{
    /// <summary><c>model</c>: <c>gpt2</c> (byte-level BPE) or <c>llama</c> (SentencePiece BPE).</summary>
    public required string Model { get; init; }

    /// <summary><c>pre</c>: the name of the pre-tokenizer; without one the ids cannot be known.</summary>
    public string? Pre { get; init; }

    /// <summary><c>tokens</c>: spellings by id.</summary>
    public required IReadOnlyList<string> Tokens { get; init; }

    /// <summary><c>scores</c>: one for each token; needed by <c>llama</c>.</summary>
    public IReadOnlyList<float>? Scores { get; init; }

    /// <summary><c>token_type</c>: a <see cref="TokenKind"/> for each token; without it all are normal.</summary>
    public IReadOnlyList<int>? TokenTypes { get; init; }

    /// <summary><c>merges</c>: two spellings with a space between, first merges first; needed by <c>gpt2</c>.</summary>
    public IReadOnlyList<string>? Merges { get; init; }

    /// <summary><c>bos_token_id</c>.</summary>
    public int? BeginOfText { get; init; }

    /// <summary><c>eos_token_id</c>.</summary>
    public int? EndOfText { get; init; }

    /// <summary><c>eot_token_id</c>.</summary>
    public int? EndOfTurn { get; init; }

    /// <summary><c>eom_token_id</c>.</summary>
    public int? EndOfMessage { get; init; }

    /// <summary><c>unknown_token_id</c>.</summary>
    public int? Unknown { get; init; }

    /// <summary><c>padding_token_id</c>.</summary>
    public int? Padding { get; init; }

    /// <summary><c>add_bos_token</c>.</summary>
    public bool? AddBeginOfText { get; init; }

    /// <summary><c>add_eos_token</c>.</summary>
    public bool? AddEndOfText { get; init; }

    /// <summary><c>add_space_prefix</c>.</summary>
    public bool? AddSpacePrefix { get; init; }
}
