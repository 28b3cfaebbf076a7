using System.Collections.Frozen;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Model.Types;
using Serving.Sampling;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving.Tests;

/// <summary>An engine says the same whether its device chooses tokens or its host, in the same steps, and reads no logits that it does not need.</summary>
public sealed class CudaChoiceEngineTests : IDisposable
{
    static readonly EngineOptions Small = new()
    {
        TokensPerStep = 96, MaxSequences = 48, MaxModelLength = 96, CacheType = CacheType.Float32, EnablePrefixCaching = false,
    };

    readonly CudaDevice _device = CudaEmulator.Device();
    readonly Checkpoint _checkpoint = Checkpoint.OpenFolder(Fixtures.Path("hf/qwen3"));

    public static TheoryData<string, bool> Crowds => new() { { "chosen", false }, { "guessed", true } };

    [Theory, MemberData(nameof(Crowds))]
    public void The_same_is_said_with_tokens_chosen_here_and_there(string what, bool guesses)
    {
        var (host, there) = Say(guesses, chooses: false);
        var (device, here) = Say(guesses, chooses: true);
        Assert.Equal(host.Count, device.Count);
        for (var i = 0; i < host.Count; i++) Assert.True(host[i] == device[i], $"{what}, request {i}: {device[i]}, on the host {host[i]}");
        Assert.Equal(there.Steps, here.Steps);
        // A guess that a constraint refuses is not asked about; on the host its row is read with the others.
        Assert.InRange(there.Rows - here.Rows - here.Distinct, 0, guesses ? 20 : 0);
        Assert.Equal(0, there.Chosen);
        Assert.True(here.Chosen > 2 * here.Rows, $"{here.Chosen} chosen on the device, {here.Rows} rows read");
        if (guesses) Assert.True(here.Accepted > 0);
    }

    [Fact]
    public void No_logits_are_read_for_a_crowd_that_wants_tokens_alone()
    {
        using var engine = Engine(chooses: true, out var decoder);
        for (var i = 0; i < 40; i++) engine.Submit(new() { Prompt = [3, 4 + i], MaxTokens = 3, Sampling = new() { TopP = 0.9f, Seed = i } });
        engine.Finish();
        // The first step has more rows than are multiplied at a time; each step is waited for once.
        Assert.Equal((0, 120, 3), (decoder.Rows, decoder.Chosen, decoder.Calls));
    }

    [Fact]
    public void A_constraint_that_breaks_or_forbids_everything_ends_its_sequence_alone()
    {
        string[] Said(bool chooses)
        {
            using var engine = Engine(chooses, out _);
            engine.Submit(new() { Prompt = [5, 6], MaxTokens = 4, Constraint = () => new Broken() });
            engine.Submit(new() { Prompt = [5, 6], MaxTokens = 4, Constraint = () => new AllowOnly() });
            engine.Submit(new() { Prompt = [5, 6], MaxTokens = 4, Choices = 2 });
            engine.Finish();
            engine.CheckNothingIsLeft();
            return [.. engine.Generations.Select(Read)];
        }

        var said = Said(chooses: false);
        Assert.Contains("broken", said[0]);
        Assert.Contains("No token may come", said[1]);
        Assert.Equal(said, Said(chooses: true));
    }

    (List<string> Said, Counted Decoder) Say(bool guesses, bool chooses)
    {
        using var engine = Engine(chooses, out var decoder);
        foreach (var request in Crowd(guesses)) engine.Submit(request);
        decoder.Steps = engine.Finish();
        engine.CheckNothingIsLeft();
        decoder.Accepted = engine.Figures.AcceptedTokens;
        return ([.. engine.Generations.Select(Read)], decoder);
    }

    // Everything that a request may ask of the choice, some of it together.
    static IEnumerable<GenerationRequest> Crowd(bool guesses)
    {
        SamplingOptions[] options =
        [
            new() { Temperature = 0 }, new(), new() { Temperature = 1.7f, TopK = 20 }, new() { TopP = 0.8f }, new() { MinP = 0.1f, TopK = 40, TopP = 0.95f },
            new() { RepetitionPenalty = 1.3f, PresencePenalty = 0.5f, FrequencyPenalty = 0.7f }, new() { Temperature = 0, RepetitionPenalty = 1.1f },
            new() { LogitBias = new Dictionary<int, float> { [7] = 3, [9] = -100 }.ToFrozenDictionary(), BannedTokenIds = [3, 11] },
            new() { MinTokens = 5, StopTokenIds = [.. Enumerable.Range(0, 40)] }, new() { AllowedTokenIds = [.. Enumerable.Range(20, 50)] },
            new() { TypicalP = 0.7f }, new() { Logprobs = 3 }, new() { Temperature = 0 }, new() { Temperature = 0.2f, FrequencyPenalty = 0.2f },
        ];
        foreach (var (sampling, i) in options.Select((sampling, i) => (sampling, i)))
            yield return new()
            {
                Prompt = [.. Enumerable.Range(0, 6 + i).Select(k => 10 + k % 3)],
                MaxTokens = 16,
                Sampling = sampling with { Seed = i },
                Choices = i is 1 or 5 ? 3 : 1,
                PromptLogprobs = i == 3 ? 2 : null,
                Constraint = i switch { 2 or 6 => () => new AllowOnly([.. Enumerable.Range(0, 60).Select(id => 2 * id)]), > 11 => () => new Turns(), _ => null },
                Drafting = guesses ? new(4) { ShortestMatch = 1 } : null,
            };
    }

    static string Read(Generation generation)
    {
        var text = new System.Text.StringBuilder();
        while (generation.Events.TryRead(out var happened))
            text.Append(happened switch
            {
                GenerationEvent.Token token => $"{token.Choice}:{token.Sampled.Id}{(token.Guessed ? "g" : "")}{token.Sampled.Logprob:R} ",
                GenerationEvent.Finished end => $"{end.Choice}:{end.Reason} {end.StopToken} {end.Error}",
                GenerationEvent.Prompt prompt => $"{prompt.CachedTokens} {string.Join(' ', prompt.Logprobs.Select(score => score.Logprob))} ",
                _ => "",
            });
        return text.ToString();
    }

    SteppedEngine Engine(bool chooses, out Counted counted)
    {
        var ledger = _checkpoint.OpenLedger();
        var plan = ModelTypes.Plan(new(_checkpoint.Config, ledger));
        var layout = new CacheLayout([.. plan.Attentions], CacheLayout.PageTokensFor(plan.Attentions, 8), Small.CacheType);
        var size = new CacheSize([.. layout.Groups.Select(_ => 400)]);
        var decoder = new Decoder(
            plan, new(ledger, _device), _device, new LatentCache(_device, layout, size.Pages), new StateMemory(_device, layout.States, size), Small.TokensPerStep);
        ledger.Close();
        Assert.True(decoder.Chooses);
        counted = new(decoder) { Chooses = chooses };
        return new(counted, layout, size, Small);
    }

    public void Dispose()
    {
        _device.Dispose();
        _checkpoint.Dispose();
    }

    /// <summary>Allows the tokens that are k from the last one modulo 3, for k tokens said, and ends after a dozen.</summary>
    sealed class Turns : ITokenConstraint
    {
        readonly List<int> _said = [];

        public bool Ended => _said.Count == 12;

        int Next => _said.Count == 0 ? 0 : (_said[^1] + _said.Count) % 3;

        public void Allow(Span<ulong> mask)
        {
            for (var token = Next; token < 64 * mask.Length; token += 3) mask[token / 64] |= 1UL << (token % 64);
        }

        public bool Accept(int token)
        {
            if (token % 3 != Next) return false;
            _said.Add(token);
            return true;
        }

        public void Rollback(int tokens) => _said.RemoveRange(_said.Count - tokens, tokens);
    }

    /// <summary>Fails when it is asked what may come next.</summary>
    sealed class Broken : ITokenConstraint
    {
        public void Allow(Span<ulong> mask) => throw new InvalidOperationException("broken");

        public bool Accept(int token) => true;

        public void Rollback(int tokens)
        {
        }
    }

    /// <summary>A decoder that chooses or not, and counts what is asked of it.</summary>
    sealed class Counted(IDecoder decoder) : IDecoder
    {
        public int Steps { get; set; }
        public long Accepted { get; set; }
        public int Rows { get; private set; }
        public int Chosen { get; private set; }
        public int Distinct { get; private set; }
        public int Calls { get; private set; }

        public int VocabularySize => decoder.VocabularySize;
        public int HiddenSize => decoder.HiddenSize;
        public int LogitRows => decoder.LogitRows;
        public required bool Chooses { get; init; }

        public void Forward(StepInput step) => decoder.Forward(step);

        public Span<float> Logits(ReadOnlySpan<int> rows)
        {
            Rows += rows.Length;
            return decoder.Logits(rows);
        }

        public void Choose(ChoiceBatch choices, Span<int> chosen)
        {
            Chosen += choices.Terms.Length;
            Distinct += choices.Rows.Length;
            Calls++;
            decoder.Choose(choices, chosen);
        }

        public void Hidden(int row, Span<float> destination) => decoder.Hidden(row, destination);
        public void CopyPages(int pageGroup, ReadOnlySpan<int> from, ReadOnlySpan<int> to) => decoder.CopyPages(pageGroup, from, to);
        public void CopyStates(ReadOnlySpan<int> from, ReadOnlySpan<int> to) => decoder.CopyStates(from, to);
        public void SwapPages(Swap way, int pageGroup, ReadOnlySpan<int> from, ReadOnlySpan<int> to) => decoder.SwapPages(way, pageGroup, from, to);
    }
}
