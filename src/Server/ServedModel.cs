using System.Collections.Immutable;
using Serving.Grammar;
using Serving.Sampling;
using Serving.Server.Http;
using Serving.Text;
using Serving.Text.Templates;

namespace Serving.Server;

/// <summary>A loaded model with all that requests need to know of it.</summary>
sealed class ServedModel : IAsyncDisposable
{
    readonly Random _seeds = Random.Shared;
    readonly Lazy<GrammarCompiler?> _grammars;

    /// <summary>A model whose requests without a seed get one from <paramref name="seed"/>, or a random one.</summary>
    public ServedModel(long? seed = null)
    {
        _grammars = new(() => Tokenizer is null ? null : new(Tokenizer, VocabularySize, StopIds, GrammarLimits));
        if (seed is { } given)
            _seeds = new Random(HashCode.Combine(given));
    }

    public required LlmEngine Engine { get; init; }

    /// <summary>What must be given back with the engine; the engine alone when null.</summary>
    public IAsyncDisposable? Owner { get; init; }

    /// <summary>Names that requests may use; the first is the model's own.</summary>
    public required ImmutableArray<string> Ids { get; init; }

    /// <summary>Null for a checkpoint without one: such a model takes and gives token ids alone.</summary>
    public Tokenizer? Tokenizer { get; init; }

    public ChatTemplate? Template { get; init; }

    /// <summary>Compiles what answers are held to; made at first need, null for a model without a tokenizer.</summary>
    public GrammarCompiler? Grammars => _grammars.Value;

    /// <summary>How much grammars may take; the usual when null.</summary>
    public GrammarLimits? GrammarLimits { get; init; }

    /// <summary>Tokens that end an answer.</summary>
    public ImmutableArray<int> StopIds { get; init; } = [];

    /// <summary>Sampling where a request says nothing.</summary>
    public SamplingOptions Defaults { get; init; } = new();

    /// <summary>Most tokens of a prompt and its answer.</summary>
    public int MaxLength => Engine.MaxLength;

    public int VocabularySize => Engine.VocabularySize;

    /// <summary>When the model was published, in Unix seconds; the same for every start of the server.</summary>
    public long Created { get; init; }

    /// <summary>Changes only with the program, the model and its numeric path.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>What the model runs on, for people.</summary>
    public string Device { get; init; } = "";

    /// <summary>What whoever started the program should know of the device; null for nothing.</summary>
    public string? Notice { get; init; }

    /// <summary>Throws a 404 for a name that is not this model's.</summary>
    public void CheckName(string name)
    {
        if (!Ids.Contains(name))
            throw ApiException.UnknownModel(RequestValue.Shortened(name));
    }

    public long NextSeed()
    {
        lock (_seeds)
            return _seeds.NextInt64();
    }

    /// <summary>A token id of this model's vocabulary, from a request.</summary>
    public int TokenId(RequestValue value)
    {
        var id = value.AsInteger(long.MinValue, long.MaxValue);
        return id >= 0 && id < VocabularySize ? (int)id : throw ApiException.Invalid(value.Path, "invalid_value",
            $"'{value.Path}' is {id}; token ids lie between 0 and {VocabularySize - 1}.");
    }

    public ValueTask DisposeAsync() => (Owner ?? Engine).DisposeAsync();
}
