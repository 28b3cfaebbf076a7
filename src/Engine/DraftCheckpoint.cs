using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Model.Types;
using Serving.Text;

namespace Serving;

/// <summary>A smaller checkpoint on the device of the one that is served, with a cache of its own, that guesses for it. It owns the checkpoint.</summary>
sealed class DraftCheckpoint : IDisposable
{
    readonly Checkpoint _checkpoint;
    readonly TensorLedger _ledger;
    readonly ModelPlan _plan;
    readonly bool _hasTokens;
    LatentCache? _cache;
    StateMemory? _states;
    Decoder? _decoder;

    /// <summary>Reads what the checkpoint is; <see cref="Place"/> brings it to a device.</summary>
    /// <exception cref="CheckpointException">It cannot guess for the model; the message says why.</exception>
    public DraftCheckpoint(Checkpoint checkpoint, Checkpoint model, EngineOptions options)
    {
        _checkpoint = checkpoint;
        _ledger = checkpoint.OpenLedger();
        _plan = ModelTypes.Plan(new(checkpoint.Config, _ledger));
        Layout = new([.. _plan.Attentions], CacheLayout.PageTokensFor(_plan.Attentions, options.PageTokens ?? 64), options.CacheType);
        if (Layout.States.PlaceBytes > 0)
            throw new CheckpointException($"The draft model {checkpoint.Name} keeps states of sequences, which a wrong guess would spoil; take one whose layers cache rows alone.");
        _hasTokens = SharesVocabulary(checkpoint, model);
    }

    /// <summary>Where its cached bytes lie.</summary>
    public CacheLayout Layout { get; }

    /// <summary>Brings it to a device, with this much memory for its cache.</summary>
    public DraftModel Place(IDevice device, EngineOptions options, long cacheBytes, int length, int vocabulary)
    {
        if (!_hasTokens && _plan.VocabularySize != vocabulary)
            throw new CheckpointException($"The draft model {_checkpoint.Name} has {_plan.VocabularySize} tokens and the model {vocabulary}. Guesses are tokens, so both must have the same.");
        var longest = Math.Min(length, _plan.MaxLength);
        var size = Layout.SizeWithin(cacheBytes, longest, options.TokensPerStep, options.MaxSequences, 0);
        (_cache, _states) = (new(device, Layout, size.Pages), new(device, Layout.States, size));
        _decoder = new(_plan, new(_ledger, device, options.RoundWeights), device, _cache, _states, options.TokensPerStep);
        _ledger.Close();
        return new(_decoder, new(Layout, size, options.EnablePrefixCaching), vocabulary, Math.Min(longest, Layout.LongestSequence(size.Pages, options.TokensPerStep)), options.TokensPerStep);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _decoder?.Dispose();
        _cache?.Dispose();
        _states?.Dispose();
        _checkpoint.Dispose();
    }

    /// <summary>Whether both have the same tokenizer; false where one has none, and an exception where they differ.</summary>
    static bool SharesVocabulary(Checkpoint draft, Checkpoint model)
    {
        var (guessed, said) = (CheckpointTokenizer.Load(draft), CheckpointTokenizer.Load(model));
        if (guessed is null || said is null) return false;
        string? difference = guessed.VocabularySize != said.VocabularySize ? $"it has {guessed.VocabularySize} tokens and the model {said.VocabularySize}" : null;
        for (var id = 0; id < said.VocabularySize && difference is null; id++)
            if (!guessed.Bytes(id).SequenceEqual(said.Bytes(id))) difference = $"its token {id} is '{guessed.Token(id)}', the model's '{said.Token(id)}'";
        if (difference is not null)
            throw new CheckpointException($"The draft model {draft.Name} does not have the vocabulary of {model.Name}: {difference}. Guesses are tokens, so both must have the same.");
        return true;
    }
}
