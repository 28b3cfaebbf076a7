using System.Collections.Immutable;
using Serving.Cache;
using Serving.Sampling;

namespace Serving.Scheduling;

/// <summary>What requests must fit.</summary>
/// <param name="Vocabulary">Tokens of the model.</param>
/// <param name="MaxLength">Longest sequence, prompt and continuation.</param>
/// <param name="MaxSequences">Sequences that run at once.</param>
/// <param name="TokensPerStep">Most rows of a step.</param>
public sealed record DoorLimits(int Vocabulary, int MaxLength, int MaxSequences, int TokensPerStep)
{
    /// <summary>Requests that may wait for their first step.</summary>
    public int MaxQueuedRequests { get; init; } = int.MaxValue;

    /// <summary>Prompt tokens that may wait with them.</summary>
    public long MaxQueuedTokens { get; init; } = long.MaxValue;
}

/// <summary>Refuses, on the caller's thread, what makes no sense, what can never fit, and what would wait too long.</summary>
/// <param name="limits">The limits.</param>
/// <param name="layout">Groups of layers.</param>
/// <param name="pages">Pages of each group.</param>
public sealed class Door(DoorLimits limits, CacheLayout layout, ImmutableArray<int> pages)
{
    long _requests, _tokens;
    volatile bool _closed;

    /// <summary>The limits.</summary>
    public DoorLimits Limits => limits;

    /// <summary>Counts a request in and returns how many tokens its sequences may reach; throws RequestRefusedException.</summary>
    public int Enter(GenerationRequest request)
    {
        if (_closed) throw new RequestRefusedException(RefusalReason.Stopping, "The engine is stopping and takes no new requests.");
        CheckShape(request);
        var length = CheckLength(request);
        var requests = Interlocked.Increment(ref _requests);
        var tokens = Interlocked.Add(ref _tokens, request.Prompt.Length);
        if (requests <= limits.MaxQueuedRequests && (tokens <= limits.MaxQueuedTokens || requests == 1)) return length;
        Leave(request);
        throw new RequestRefusedException(RefusalReason.Overloaded,
            $"{requests - 1} requests with {tokens - request.Prompt.Length} prompt tokens wait already; "
            + $"at most {limits.MaxQueuedRequests} requests with {limits.MaxQueuedTokens} tokens may. Try again later.");
    }

    /// <summary>Counts a request out: it had its first step, or ended before.</summary>
    public void Leave(GenerationRequest request)
    {
        Interlocked.Decrement(ref _requests);
        Interlocked.Add(ref _tokens, -request.Prompt.Length);
    }

    /// <summary>Refuses everything from now on.</summary>
    public void Close() => _closed = true;

    void CheckShape(GenerationRequest request)
    {
        if (request.Prompt.IsDefaultOrEmpty) throw Invalid("prompt", "The prompt has no tokens; it needs at least one.");
        foreach (var token in request.Prompt)
            if ((uint)token >= (uint)limits.Vocabulary)
                throw Invalid("prompt", $"The prompt holds token {token}; token ids lie between 0 and {limits.Vocabulary - 1}.");
        if (request.Sampling.Fault(limits.Vocabulary) is { } fault) throw Invalid(fault.Parameter, fault.Message);
        if (request.Choices < 1 || request.Choices > limits.MaxSequences)
            throw Invalid("n", $"n is {request.Choices}; it must be between 1 and {limits.MaxSequences}, the sequences that run at once.");
        if (request.MaxTokens < 0) throw Invalid("max_tokens", $"max_tokens is {request.MaxTokens}; it must be at least 0.");
        if (request.PromptLogprobs is { } logprobs and (< 0 or > SamplingOptions.MaxLogprobs))
            throw Invalid("prompt_logprobs", $"prompt_logprobs is {logprobs}; it must be between 0 and {SamplingOptions.MaxLogprobs}.");
        if (request.Pooling != Pooling.None && request.Choices > 1)
            throw Invalid("n", $"n is {request.Choices}; a pooled state has one value, so n must be 1.");
    }

    int CheckLength(GenerationRequest request)
    {
        int prompt = request.Prompt.Length, wanted = request.Pooling != Pooling.None ? 0 : request.MaxTokens ?? 1;
        if ((long)prompt + wanted > limits.MaxLength)
            throw TooLong($"The prompt has {prompt} tokens and {wanted} more are wanted, {(long)prompt + wanted} in all; "
                + $"a sequence holds at most {limits.MaxLength}. Shorten the prompt or ask for less.");
        var spare = prompt % layout.PageTokens > 0 ? request.Choices - 1 : 0;
        foreach (var (group, count) in layout.Groups.Zip(pages))
            if (group.MostPages(prompt, limits.TokensPerStep) + spare is var needed && needed > count)
                throw TooLong($"{request.Choices} choices of a prompt of {prompt} tokens begin with {needed} cache pages of "
                    + $"{layout.PageTokens} tokens; the cache has {count}. Ask for fewer choices or shorten the prompt.");
        return request.Pooling == Pooling.None && request.MaxTokens is null ? limits.MaxLength : prompt + wanted;
    }

    static RequestRefusedException Invalid(string parameter, string message) => new(RefusalReason.Invalid, message, parameter);
    static RequestRefusedException TooLong(string message) => new(RefusalReason.TooLong, message, "prompt");
}
