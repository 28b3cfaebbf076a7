using System.Collections.Immutable;
using Serving.Cache;
using Serving.Diagnostics;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>An engine without a thread: a test makes its steps, and every book is recounted after each.</summary>
sealed class EngineLab : IDisposable
{
    readonly List<Generation> _generations = [];

    public EngineLab(CacheLayout layout, ImmutableArray<int> pages, EngineOptions options, TimeProvider? clock = null)
    {
        Layout = layout;
        Decoder = new(layout, pages);
        Loop = new(Decoder, layout, pages, options with { PageTokens = layout.PageTokens }, new() { Clock = clock ?? new StillClock() });
    }

    public CacheLayout Layout { get; }
    public FakeDecoder Decoder { get; }
    public EngineLoop Loop { get; }
    public EngineFigures Figures => Loop.Figures;
    public IReadOnlyList<Generation> Generations => _generations;

    public Generation Submit(GenerationRequest request)
    {
        var generation = Loop.Submit(request);
        _generations.Add(generation);
        return generation;
    }

    /// <summary>One step with its books; false when there was nothing to do.</summary>
    public bool Step()
    {
        var worked = Loop.Step();
        Check();
        return worked;
    }

    /// <summary>Steps until nothing is left to do; returns their number.</summary>
    public int Finish(int most = 10_000)
    {
        for (var steps = 0; steps < most; steps++)
            if (!Step()) return steps;
        throw new InvalidOperationException($"Not done after {most} steps: {Figures}");
    }

    public void Check() =>
        Loop.Pages.Check([.. _generations.SelectMany(generation => generation.Sequences).Select(sequence => sequence.Tables)]);

    /// <summary>Fails unless every sequence is over and no page is held.</summary>
    public void CheckNothingIsLeft()
    {
        Check();
        var open = _generations.SelectMany(generation => generation.Sequences).Where(sequence => sequence.State != SequenceState.Finished);
        Assert.Empty(open.Select(sequence => $"{sequence.State}, {sequence.Computed} of {sequence.Known.Length} tokens computed"));
        Assert.Equal((0, 0, 0), (Figures.PagesHeld, Figures.Running, Figures.Waiting));
    }

    /// <summary>What a choice should say, computed alone.</summary>
    public (List<int> Tokens, FinishReason Reason) Alone(Generation generation, int choice = 0) =>
        LoneModel.Say(Layout, generation.Sequences[choice], Decoder.VocabularySize);

    public void Dispose() => Loop.Dispose();
}

/// <summary>What was heard of a generation so far.</summary>
sealed record Heard(GenerationEvent.Prompt? Prompt, float[]? Embedding, ImmutableArray<Heard.Choice> Choices)
{
    public sealed record Choice(List<int> Tokens)
    {
        public GenerationEvent.Finished? End { get; set; }
    }

    /// <summary>Reads all events that are there, and fails when their order makes no sense.</summary>
    public static Heard Of(Generation generation)
    {
        var heard = new Heard(null, null, [.. Enumerable.Range(0, generation.Request.Choices).Select(_ => new Choice([]))]);
        while (generation.Events.TryRead(out var happened))
        {
            Assert.Null(heard.Choices[happened.Choice].End);
            switch (happened)
            {
                case GenerationEvent.Prompt prompt:
                    Assert.Null(heard.Prompt);
                    heard = heard with { Prompt = prompt };
                    break;
                case GenerationEvent.Embedding embedding:
                    heard = heard with { Embedding = embedding.Values };
                    break;
                case GenerationEvent.Token token:
                    Assert.NotNull(heard.Prompt);
                    heard.Choices[token.Choice].Tokens.Add(token.Sampled.Id);
                    break;
                case GenerationEvent.Finished end:
                    heard.Choices[end.Choice].End = end;
                    break;
            }
        }

        return heard;
    }
}

/// <summary>A clock that stands until a test moves it.</summary>
sealed class StillClock : TimeProvider
{
    public long Now { get; set; }
    public override long TimestampFrequency => 1000;
    public override long GetTimestamp() => Now;
}
