using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Serving.Sampling;
using Serving.Scheduling;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>Something new about one answer: the first has the prompt's report and no text, the last a reason.</summary>
/// <param name="Index">Which answer of the reply.</param>
/// <param name="Prompt">Which prompt it answers.</param>
readonly record struct TextDelta(int Index, int Prompt)
{
    /// <summary>The prompt's log-probabilities, in an answer's first delta.</summary>
    public GenerationEvent.Prompt? Begins { get; init; }

    public TextPiece Piece { get; init; }

    /// <summary>stop or length, in an answer's last delta.</summary>
    public string? FinishReason { get; init; }
}

/// <summary>The generations of one request, as one sequence of deltas; disposing it ends what still runs.</summary>
sealed class TextRun : IDisposable
{
    readonly List<Generation> _generations = [];
    readonly ChoiceText[][] _texts;
    readonly bool _drafts;

    /// <summary>Starts every generation; a prompt that the engine refuses is a 400 or a 429, and then none runs.</summary>
    public TextRun(ServedModel model, IReadOnlyList<GenerationRequest> prompts, GenerationFields fields, CancellationToken cancellation)
    {
        _drafts = fields.Drafting is { Tokens: > 0 };
        _texts = [.. prompts.Select(prompt => NewTexts(prompt, model, fields))];
        FinishReasons = new string?[_texts.Sum(choices => choices.Length)];
        try
        {
            foreach (var prompt in prompts)
                _generations.Add(model.Engine.Start(prompt, cancellation));
        }
        catch (RequestRefusedException refusal)
        {
            Dispose();
            throw Refused(refusal);
        }
        PromptTokens = prompts.Sum(p => p.Prompt.Length);
    }

    public int PromptTokens { get; }

    /// <summary>Why each answer ended; null for those that go on, or never ended.</summary>
    public string?[] FinishReasons { get; }

    /// <summary>Called at the first token of all.</summary>
    public Action? FirstToken { private get; set; }

    /// <summary>Tokens so far.</summary>
    public Usage Usage => new(PromptTokens, Sum(text => text.Count), CachedTokens)
    {
        CompletionTokensDetails = _drafts ? new() { AcceptedPredictionTokens = Sum(text => text.Guessed) } : null,
    };

    int CachedTokens { get; set; }

    int Sum(Func<ChoiceText, int> count) => _texts.Sum(choices => choices.Sum(count));

    public async IAsyncEnumerable<TextDelta> ReadAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var events = _generations is [var only] ? Numbered(only, cancellation) : Merged(cancellation);
        await foreach (var (prompt, happened) in events)
        {
            switch (happened)
            {
                case GenerationEvent.Prompt begins:
                    CachedTokens += begins.CachedTokens;
                    for (var choice = 0; choice < _texts[prompt].Length; choice++)
                        yield return Delta(prompt, choice) with { Begins = begins };
                    break;
                case GenerationEvent.Token token when !_texts[prompt][token.Choice].IsStopped:
                    FirstToken?.Invoke();
                    FirstToken = null;
                    yield return Next(prompt, token);
                    break;
                case GenerationEvent.Finished end:
                    var last = Last(prompt, end, cancellation);
                    FinishReasons[last.Index] = last.FinishReason;
                    yield return last;
                    break;
            }
        }
    }

    /// <summary>Ends the answer of a delta with it.</summary>
    public void Stop(TextDelta delta)
    {
        var choice = delta.Index % _texts[delta.Prompt].Length;
        _texts[delta.Prompt][choice].Stop();
        _generations[delta.Prompt].Stop(choice);
    }

    public void Dispose() => _generations.ForEach(generation => generation.Dispose());

    TextDelta Next(int prompt, GenerationEvent.Token token)
    {
        var text = _texts[prompt][token.Choice];
        var piece = text.Push(token.Sampled, token.Guessed);
        if (text.IsStopped)
            _generations[prompt].Stop(token.Choice);
        return Delta(prompt, token.Choice) with { Piece = piece };
    }

    TextDelta Last(int prompt, GenerationEvent.Finished end, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var text = _texts[prompt][end.Choice];
        var last = Delta(prompt, end.Choice) with { Piece = text.Flush() };
        return end.Reason switch
        {
            _ when text.IsStopped => last with { FinishReason = "stop" },
            FinishReason.Stop => last with { FinishReason = "stop" },
            FinishReason.Length => last with { FinishReason = "length" },
            FinishReason.Cancelled => throw ApiException.Draining(),
            _ => throw ApiException.Failed(end.Error ?? "The engine could not go on."),
        };
    }

    TextDelta Delta(int prompt, int choice) => new(prompt * _texts[prompt].Length + choice, prompt) { Piece = new("", []) };

    static ChoiceText[] NewTexts(GenerationRequest prompt, ServedModel model, GenerationFields fields) =>
        [.. Enumerable.Range(0, prompt.Choices).Select(_ => new ChoiceText(fields, model.Tokenizer, prompt.Prompt.AsSpan()))];

    static async IAsyncEnumerable<(int, GenerationEvent)> Numbered(Generation generation, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var happened in generation.Events.ReadAllAsync(cancellation))
            yield return (0, happened);
    }

    async IAsyncEnumerable<(int, GenerationEvent)> Merged([EnumeratorCancellation] CancellationToken cancellation)
    {
        var merged = Channel.CreateUnbounded<(int, GenerationEvent)>(new() { SingleReader = true });
        var pumps = Task.WhenAll(_generations.Select(async (generation, prompt) =>
        {
            await foreach (var happened in generation.Events.ReadAllAsync(cancellation))
                merged.Writer.TryWrite((prompt, happened));
        }));
        _ = pumps.ContinueWith(done => merged.Writer.Complete(done.Exception?.InnerException), TaskScheduler.Default);
        await foreach (var happened in merged.Reader.ReadAllAsync(cancellation))
            yield return happened;
    }

    /// <summary>What the client is told of a request that the engine refused.</summary>
    public static ApiException Refused(RequestRefusedException refusal) => refusal.Reason switch
    {
        RefusalReason.TooLong => ApiException.TooLong(refusal.Parameter ?? "prompt", refusal.Message),
        RefusalReason.Overloaded => ApiException.Busy(refusal.Message, refusal.RetryAfter, refusal.QueueLimit),
        RefusalReason.Stopping => ApiException.Draining(),
        _ => ApiException.Invalid(refusal.Parameter, "invalid_value", refusal.Message),
    };
}
