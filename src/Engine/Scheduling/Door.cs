using System.Collections.Concurrent;
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
    /// <summary>Ids that stand for parts of images, which are not served.</summary>
    public ImmutableArray<int> ImageIds { get; init; } = [];

    /// <summary>Requests that may wait for their first step.</summary>
    public int MaxQueuedRequests { get; init; } = int.MaxValue;

    /// <summary>Prompt tokens that may wait with them.</summary>
    public long MaxQueuedTokens { get; init; } = long.MaxValue;

    /// <summary>Longest that a request may be expected to wait.</summary>
    public TimeSpan MaxQueueTime { get; init; } = TimeSpan.MaxValue;
}

/// <summary>A caller's part of the queue.</summary>
/// <param name="Requests">Its requests that wait for their first step.</param>
/// <param name="MostRequests">How many may.</param>
/// <param name="Tokens">Their prompt tokens.</param>
/// <param name="MostTokens">How many may.</param>
/// <param name="Wait">How long they keep the engine from the caller's next one.</param>
public readonly record struct QueueRoom(long Requests, long MostRequests, long Tokens, long MostTokens, TimeSpan Wait);

/// <summary>
/// Refuses, on the caller's thread, what makes no sense, what can never fit, and what would wait too long. Callers who wait share the queue
/// evenly: what one has filled is not held against another.
/// </summary>
/// <param name="limits">The limits.</param>
/// <param name="layout">Groups of layers.</param>
/// <param name="pages">Pages of each group.</param>
/// <param name="pace">How fast the engine works.</param>
public sealed class Door(DoorLimits limits, CacheLayout layout, ImmutableArray<int> pages, Pace? pace = null)
{
    readonly ConcurrentDictionary<string, Queue> _queues = [];
    readonly Pace _pace = pace ?? new();
    int _callers;
    volatile bool _closed;

    /// <summary>The limits.</summary>
    public DoorLimits Limits => limits;

    /// <summary>Counts a request in and returns how many tokens its sequences may reach; throws RequestRefusedException.</summary>
    public int Enter(GenerationRequest request)
    {
        if (_closed) throw new RequestRefusedException(RefusalReason.Stopping, "The engine is stopping and takes no new requests.");
        CheckShape(request);
        var length = CheckLength(request);
        var queue = _queues.GetOrAdd(request.Caller, static _ => new());
        var requests = Interlocked.Increment(ref queue.Requests);
        if (requests == 1) Interlocked.Increment(ref _callers);
        var tokens = Interlocked.Add(ref queue.Tokens, request.Prompt.Length);
        if (Overload(requests - 1, tokens - request.Prompt.Length, request.Prompt.Length) is not { } overload) return length;
        Leave(request);
        throw overload;
    }

    /// <summary>Counts a request out: it had its first step, or ended before.</summary>
    public void Leave(GenerationRequest request)
    {
        var queue = _queues[request.Caller];
        Interlocked.Add(ref queue.Tokens, -request.Prompt.Length);
        if (Interlocked.Decrement(ref queue.Requests) == 0) Interlocked.Decrement(ref _callers);
    }

    /// <summary>How long the requests of a caller that wait now will keep the engine from the caller's next one.</summary>
    public TimeSpan WaitOf(string caller) => _queues.TryGetValue(caller, out var queue)
        ? _pace.Wait(Volatile.Read(ref queue.Requests), Volatile.Read(ref queue.Tokens), 1.0 / Math.Max(1, Volatile.Read(ref _callers)))
        : TimeSpan.Zero;

    /// <summary>What a caller has waiting, and how much it may.</summary>
    public QueueRoom RoomOf(string caller)
    {
        _queues.TryGetValue(caller, out var queue);
        var (requests, tokens) = queue is null ? (0, 0) : (Volatile.Read(ref queue.Requests), Volatile.Read(ref queue.Tokens));
        var callers = Math.Max(1, Volatile.Read(ref _callers) + (requests == 0 ? 1 : 0));
        return new(requests, Math.Max(1, limits.MaxQueuedRequests / callers), tokens, limits.MaxQueuedTokens / callers, WaitOf(caller));
    }

    /// <summary>Refuses everything from now on.</summary>
    public void Close() => _closed = true;

    RequestRefusedException? Overload(long requests, long tokens, int prompt)
    {
        var callers = Math.Max(1, Volatile.Read(ref _callers));
        var (most, mostTokens) = (Math.Max(1, limits.MaxQueuedRequests / callers), limits.MaxQueuedTokens / callers);
        var wait = _pace.Wait(requests, tokens, 1.0 / callers);
        if (requests < most && (requests == 0 || tokens + prompt <= mostTokens) && wait <= limits.MaxQueueTime) return null;
        var excess = Math.Max(requests + 1 - most, tokens + prompt > mostTokens ? 1 : 0);
        var allowed = wait > limits.MaxQueueTime ? limits.MaxQueueTime : wait - wait * Math.Min(1, (double)excess / Math.Max(1, requests));
        return new(RefusalReason.Overloaded,
            $"{requests} requests with {tokens} prompt tokens wait already, for about {wait.TotalSeconds:F0} s; at most {most} requests with "
            + $"{mostTokens} tokens may, and none for longer than {limits.MaxQueueTime.TotalSeconds:F0} s. Try again later.")
        { RetryAfter = Pace.RetryAfter(wait, allowed), QueueLimit = most };
    }

    void CheckShape(GenerationRequest request)
    {
        if (request.Prompt.IsDefaultOrEmpty) throw Invalid("prompt", "The prompt has no tokens; it needs at least one.");
        foreach (var token in request.Prompt)
            if ((uint)token >= (uint)limits.Vocabulary)
                throw Invalid("prompt", $"The prompt holds token {token}; token ids lie between 0 and {limits.Vocabulary - 1}.");
        foreach (var token in request.Prompt)
            if (limits.ImageIds.Contains(token))
                throw Invalid("prompt", $"The prompt holds token {token}, which stands for an image or a part of one; images are not served, text is.");
        if (request.Sampling.Fault(limits.Vocabulary) is { } fault) throw Invalid(fault.Parameter, fault.Message);
        if (request.Choices < 1 || request.Choices > limits.MaxSequences)
            throw Invalid("n", $"n is {request.Choices}; it must be between 1 and {limits.MaxSequences}, the sequences that run at once.");
        if (request.MaxTokens < 0) throw Invalid("max_tokens", $"max_tokens is {request.MaxTokens}; it must be at least 0.");
        if (request.PromptLogprobs is { } logprobs and (< 0 or > SamplingOptions.MaxLogprobs))
            throw Invalid("prompt_logprobs", $"prompt_logprobs is {logprobs}; it must be between 0 and {SamplingOptions.MaxLogprobs}.");
        if (request.Drafting?.Fault() is { } wrong) throw Invalid(wrong.Parameter, wrong.Message);
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

    /// <summary>What a caller has waiting.</summary>
    sealed class Queue
    {
        public long Requests, Tokens;
    }

    static RequestRefusedException Invalid(string parameter, string message) => new(RefusalReason.Invalid, message, parameter);
    static RequestRefusedException TooLong(string message) => new(RefusalReason.TooLong, message, "prompt");
}
