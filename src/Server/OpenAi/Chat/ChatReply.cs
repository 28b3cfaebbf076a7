using System.Runtime.CompilerServices;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>Turns a run into the reply of a chat completion, whole or in chunks; both say the same.</summary>
sealed class ChatReply(ReplyHead head, ChatRequest request, TokenSpelling spelling)
{
    public async Task<ChatCompletion> WholeAsync(TextRun run, CancellationToken cancellation)
    {
        var answers = await TextAnswer.ReadAllAsync(run, cancellation);
        return new(head.Id, head.Created, head.Model, [.. answers.Select(Choice)], run.Usage, head.Fingerprint)
        {
            PromptTokenIds = PromptIds,
            PromptLogprobs = request.Generation.PromptLogprobs is { } places && answers[0].Prompt is { } prompt
                ? spelling.Prompt(prompt.Logprobs, places)
                : null,
        };
    }

    public async IAsyncEnumerable<ChatChunk> ChunksAsync(TextRun run, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var delta in run.ReadAsync(cancellation))
        {
            if (delta.Begins is not null)
                yield return Chunk(new(delta.Index, ChatDelta.First, null, null)) with { PromptTokenIds = PromptIds };
            if (delta.Piece.Text.Length > 0 || (delta.Piece.Tokens.Length > 0 && (request.Logprobs || request.Fields.ReturnsTokenIds)))
                yield return Chunk(Middle(delta));
            if (delta.FinishReason is { } reason)
                yield return Chunk(new(delta.Index, new(), null, reason));
        }
        if (request.Fields.IncludesUsage)
            yield return Chunk(null) with { Usage = ReplyHead.UsageOf(request.Fields, run.Usage) };
    }

    IReadOnlyList<int>? PromptIds => request.Fields.ReturnsTokenIds ? request.Generation.Prompt : null;

    ChatChunk Chunk(ChatChunkChoice? choice) =>
        new(head.Id, head.Created, head.Model, choice is null ? [] : [choice], head.Fingerprint) { Usage = ReplyHead.UsageOf(request.Fields, null) };

    ChatChunkChoice Middle(TextDelta delta) =>
        new(delta.Index, new() { Content = delta.Piece.Text }, Logprobs(delta.Piece.Tokens), null) { TokenIds = Ids(delta.Piece.Tokens) };

    ChatChoice Choice(TextAnswer answer, int index) =>
        new(index, new(answer.Text), Logprobs(answer.Tokens), answer.FinishReason) { TokenIds = Ids(answer.Tokens) };

    ChatLogprobs? Logprobs(IEnumerable<TokenText> tokens) => request.Logprobs ? spelling.Chat(tokens) : null;

    IReadOnlyList<int>? Ids(IEnumerable<TokenText> tokens) => request.Fields.ReturnsTokenIds ? [.. tokens.Select(t => t.Token.Id)] : null;
}
