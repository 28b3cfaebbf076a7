using System.Runtime.CompilerServices;
using Serving.Scheduling;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>Turns a run into the reply of a text completion, whole or in chunks; both say the same.</summary>
sealed class CompletionReply(ReplyHead head, CompletionRequest request, ServedModel model)
{
    readonly TokenSpelling _spelling = new(model.Tokenizer, request.Fields.SpellsTokenIds);
    readonly string[] _echoes = [.. request.Prompts.Select(p => !request.Echoes ? "" : p.Text ?? model.Tokenizer?.Decode(p.Ids, skipSpecial: true) ?? "")];

    public async Task<TextCompletion> WholeAsync(TextRun run, CancellationToken cancellation)
    {
        var answers = await TextAnswer.ReadAllAsync(run, cancellation);
        var kept = answers.Chunk(answers.Length / request.Prompts.Length).SelectMany((drawn, prompt) => Best(drawn).Select(answer => (answer, prompt)));
        return Reply([.. kept.Select((pair, index) => Choice(index, pair.prompt, pair.answer))]) with { Usage = ReplyHead.ElementOf(run.Usage) };
    }

    public async IAsyncEnumerable<TextCompletion> ChunksAsync(TextRun run, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var delta in run.ReadAsync(cancellation))
        {
            if (delta.Begins is { } begins && (request.Echoes || request.Fields.ReturnsTokenIds || request.Fields.PromptLogprobs is not null))
                yield return Chunk(WithPrompt(new(delta.Index, _echoes[delta.Prompt], Echo(delta.Prompt, begins), null), delta.Prompt, begins));
            var (text, tokens) = delta.Piece;
            if (text.Length > 0 || delta.FinishReason is not null || (tokens.Length > 0 && (request.Logprobs is not null || request.Fields.ReturnsTokenIds)))
                yield return Chunk(new(delta.Index, text, Logprobs(delta.Prompt, tokens), delta.FinishReason) { TokenIds = Ids(tokens) });
        }
        if (request.Fields.IncludesUsage)
            yield return Reply([]) with { Usage = ReplyHead.UsageOf(request.Fields, run.Usage) };
    }

    IEnumerable<TextAnswer> Best(TextAnswer[] drawn) => drawn.Length == request.Fields.Choices
        ? drawn
        : drawn.OrderByDescending(answer => answer.MeanLogprob).Take(request.Fields.Choices);

    TextCompletion Reply(IReadOnlyList<TextChoice> choices) => new(head.Id, head.Created, head.Model, choices, head.Fingerprint);

    TextCompletion Chunk(TextChoice choice) => Reply([choice]) with { Usage = ReplyHead.UsageOf(request.Fields, null) };

    TextChoice Choice(int index, int prompt, TextAnswer answer)
    {
        var logprobs = Logprobs(prompt, answer.Tokens);
        if (answer.Prompt is { } begins && Echo(prompt, begins) is { } echo)
            logprobs = Joined(echo, logprobs!);
        var choice = new TextChoice(index, _echoes[prompt] + answer.Text, logprobs, answer.FinishReason) { TokenIds = Ids(answer.Tokens) };
        return answer.Prompt is { } known ? WithPrompt(choice, prompt, known) : choice;
    }

    TextChoice WithPrompt(TextChoice choice, int prompt, GenerationEvent.Prompt begins) => choice with
    {
        PromptTokenIds = request.Fields.ReturnsTokenIds ? request.Prompts[prompt].Ids : null,
        PromptLogprobs = request.Fields.PromptLogprobs is { } places ? _spelling.Prompt(begins.Logprobs, places) : null,
    };

    TextLogprobs? Echo(int prompt, GenerationEvent.Prompt begins) =>
        request is { Echoes: true, Logprobs: not null } ? _spelling.Echo(request.Prompts[prompt].Ids, begins.Logprobs) : null;

    TextLogprobs? Logprobs(int prompt, IReadOnlyCollection<TokenText> tokens) =>
        request.Logprobs is null ? null : _spelling.Plain(tokens, _echoes[prompt].Length);

    IReadOnlyList<int>? Ids(IEnumerable<TokenText> tokens) => request.Fields.ReturnsTokenIds ? [.. tokens.Select(t => t.Token.Id)] : null;

    static TextLogprobs Joined(TextLogprobs first, TextLogprobs second) => new(
        [.. first.Tokens, .. second.Tokens],
        [.. first.TokenLogprobs, .. second.TokenLogprobs],
        [.. first.TopLogprobs, .. second.TopLogprobs],
        [.. first.TextOffset, .. second.TextOffset]);
}
