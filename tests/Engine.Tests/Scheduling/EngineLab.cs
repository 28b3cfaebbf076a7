using System.Collections.Immutable;
using Serving.Cache;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving.Tests;

/// <summary>A stepped engine on the fake model.</summary>
sealed class EngineLab : SteppedEngine
{
    public EngineLab(CacheLayout layout, CacheSize size, EngineOptions options, TimeProvider? clock = null, IDrafter? drafter = null)
        : this(new FakeDecoder(layout, size), layout, size, options, clock, drafter)
    {
    }

    EngineLab(FakeDecoder decoder, CacheLayout layout, CacheSize size, EngineOptions options, TimeProvider? clock, IDrafter? drafter)
        : base(decoder, layout, size, options, clock, drafter) => Decoder = decoder;

    public FakeDecoder Decoder { get; }

    /// <summary>What a choice should say, computed alone.</summary>
    public (List<int> Tokens, FinishReason Reason) Alone(Generation generation, int choice = 0) =>
        LoneModel.Say(Layout, generation.Sequences[choice], Decoder.VocabularySize);
}

/// <summary>What was heard of a generation so far.</summary>
sealed record Heard(GenerationEvent.Prompt? Prompt, float[]? Embedding, ImmutableArray<Heard.Choice> Choices)
{
    public sealed record Choice(List<int> Tokens)
    {
        public List<float?> Logprobs { get; } = [];
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
                    heard.Choices[token.Choice].Logprobs.Add(token.Sampled.Logprob);
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
