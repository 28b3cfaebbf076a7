using System.Collections.Frozen;
using Serving.Cache;
using Serving.Sampling;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>A schedule drawn by chance: who comes when, who leaves, and how little room there is for them.</summary>
static class RandomSchedule
{
    /// <summary>Most tokens of a step.</summary>
    public const int MostRows = 20;

    /// <summary>Longest sequence.</summary>
    public const int MostTokens = 40;

    /// <summary>An engine of few seats and small steps.</summary>
    public static EngineOptions Options(Random random)
    {
        var sequences = random.Next(1, 7);
        return new()
        {
            MaxSequences = sequences, TokensPerStep = random.Next(sequences, MostRows), MaxModelLength = MostTokens,
            EnablePrefixCaching = random.Next(4) > 0, SnapshotTokens = random.Next(1, 12),
            // Every sequence is worth swapping, or only those whose bytes weigh less than their tokens.
            SwapCost = random.Next(2) == 0 ? null : new(1, 1, 1, random.Next(100), 0, 1),
        };
    }

    /// <summary>Pages for one to three sequences in each group; where layers keep states, places for one at least, and few snapshots.</summary>
    public static CacheSize Size(CacheLayout layout, EngineOptions options, Random random) => new(
        [.. layout.Groups.Select(group => group.MostPages(24, options.TokensPerStep)).Select(pages => random.Next(pages, 3 * pages))],
        layout.States.PlaceBytes > 0 ? random.Next(1, options.MaxSequences + 1) : 0, layout.States.NeedsSnapshots ? random.Next(0, 12) : 0)
    {
        Swap = random.Next(2) == 0 ? null : new([.. layout.Groups.Select(_ => random.Next(1, 24))], layout.States.PlaceBytes > 0 ? random.Next(1, 4) : 0),
    };

    /// <summary>Lets requests come and go until all are over.</summary>
    public static void Play(SteppedEngine engine, Random random)
    {
        var arrivals = Enumerable.Range(0, random.Next(1, 9)).Select(_ => Request(random)).ToLookup(_ => random.Next(20));
        for (var step = 0; engine.Step() || step < 20; step++)
        {
            foreach (var request in arrivals[step]) Submit(engine, request);
            if (engine.Generations.Count > 0 && random.Next(12) == 0) Disturb(engine.Generations[random.Next(engine.Generations.Count)], random);
            Assert.True(step < 3000, "no end in sight");
        }

        engine.CheckNothingIsLeft();
    }

    static GenerationRequest Request(Random random)
    {
        // Few distinct prompts over few distinct tokens: most requests share some prefix with others.
        var tokens = new Random(random.Next(3));
        var pooling = random.Next(12) == 0 ? (Pooling)random.Next(1, 3) : Pooling.None;
        return new()
        {
            Prompt = [.. Enumerable.Range(0, random.Next(1, 22)).Select(_ => tokens.Next(4))],
            Choices = pooling == Pooling.None && random.Next(3) == 0 ? random.Next(2, 5) : 1,
            MaxTokens = random.Next(5) == 0 ? null : random.Next(0, 16),
            Priority = random.Next(3),
            Pooling = pooling,
            PromptLogprobs = random.Next(8) == 0 ? random.Next(3) : null,
            CacheSalt = random.Next(5) == 0 ? "other" : "",
            Drafting = random.Next(3) == 0 ? null : new(random.Next(1, 7)) { ShortestMatch = 1, MostSequences = random.Next(4) == 0 ? 2 : 100 },
            Constraint = random.Next(4) == 0 ? static () => new NoEcho() : null,
            Sampling = new()
            {
                LogitBias = random.Next(4) == 0 ? new Dictionary<int, float> { [3] = 4 }.ToFrozenDictionary() : FrozenDictionary<int, float>.Empty,
                RepetitionPenalty = random.Next(4) == 0 ? 1.2f : 1,
                Temperature = random.Next(2), Seed = random.Next(3), FrequencyPenalty = random.Next(2),
                StopTokenIds = random.Next(2) == 0 ? [7, 8] : [], Logprobs = 0,
            },
        };
    }

    static void Submit(SteppedEngine engine, GenerationRequest request)
    {
        try
        {
            engine.Submit(request);
        }
        catch (RequestRefusedException refusal) when (refusal.Reason == RefusalReason.TooLong || request.Choices > engine.Loop.Door.Limits.MaxSequences)
        {
        }
    }

    static void Disturb(Generation generation, Random random)
    {
        if (random.Next(3) == 0) generation.Cancel();
        else if (random.Next(2) == 0) generation.Stop(random.Next(generation.Request.Choices));
    }

    /// <summary>Forbids to say a token twice in a row.</summary>
    sealed class NoEcho : ITokenConstraint
    {
        readonly Stack<int> _said = [];

        public void Allow(Span<ulong> mask)
        {
            mask.Fill(ulong.MaxValue);
            if (_said.TryPeek(out var last)) mask[last >> 6] &= ~(1UL << (last & 63));
        }

        public bool Accept(int token)
        {
            if (_said.TryPeek(out var last) && last == token) return false;
            _said.Push(token);
            return true;
        }

        public void Rollback(int tokens)
        {
            for (; tokens > 0; tokens--) _said.Pop();
        }
    }
}
