using System.Runtime.CompilerServices;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>Turns a run into the reply of a chat completion, whole or in chunks; both say the same.</summary>
sealed class ChatReply(ReplyHead head, ChatRequest request, TokenSpelling spelling)
{
    readonly ChatParts _parts = new(request);

    public async Task<ChatCompletion> WholeAsync(TextRun run, CancellationToken cancellation)
    {
        ChatAnswer[] answers = [.. Enumerable.Range(0, request.Generation.Choices).Select(_ => new ChatAnswer())];
        await foreach (var delta in run.ReadAsync(cancellation))
            answers[delta.Index].Add(delta, _parts.Of(delta, run), _parts.FinishReason(delta, run));
        return new(head.Id, head.Created, head.Model, [.. answers.Select(Choice)], Usage(run), head.Fingerprint)
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
            foreach (var middle in Middle(delta, _parts.Of(delta, run)))
                yield return Chunk(middle);
            if (_parts.FinishReason(delta, run) is { } reason)
                yield return Chunk(new(delta.Index, new(), null, reason));
        }
        if (request.Fields.IncludesUsage)
            yield return Chunk(null) with { Usage = ReplyHead.UsageOf(request.Fields, Usage(run)) };
    }

    IReadOnlyList<int>? PromptIds => request.Fields.ReturnsTokenIds ? request.Generation.Prompt : null;

    /// <summary>Tokens so far.</summary>
    public Usage Usage(TextRun run) => _parts.Usage(run);

    ChatChunk Chunk(ChatChunkChoice? choice) =>
        new(head.Id, head.Created, head.Model, choice is null ? [] : [choice], head.Fingerprint) { Usage = ReplyHead.UsageOf(request.Fields, null) };

    /// <summary>A chunk for each part; the tokens go with the first, or alone where none is certain yet.</summary>
    IEnumerable<ChatChunkChoice> Middle(TextDelta delta, List<AnswerPart> parts)
    {
        var tokens = delta.Piece.Tokens;
        if (parts.Count == 0 && tokens.Length > 0 && (request.Logprobs || request.Fields.ReturnsTokenIds))
            parts.Add(new(PartKind.Content, ""));
        for (var i = 0; i < parts.Count; i++)
        {
            var first = i == 0 ? tokens : [];
            yield return new(delta.Index, Delta(parts[i]), Logprobs(first), null) { TokenIds = Ids(first) };
        }
    }

    static ChatDelta Delta(AnswerPart part) => part.Kind switch
    {
        PartKind.Content => new() { Content = part.Text },
        PartKind.Reasoning => new() { ReasoningContent = part.Text },
        PartKind.Call => new() { ToolCalls = [new(new("") { Name = part.Text }) { Index = part.Call, Id = part.Id, Type = "function" }] },
        _ => new() { ToolCalls = [new(new(part.Text)) { Index = part.Call }] },
    };

    ChatChoice Choice(ChatAnswer answer, int index) =>
        new(index, answer.Message, Logprobs(answer.Tokens), answer.FinishReason) { TokenIds = Ids(answer.Tokens) };

    ChatLogprobs? Logprobs(IEnumerable<TokenText> tokens) => request.Logprobs ? spelling.Chat(tokens) : null;

    IReadOnlyList<int>? Ids(IEnumerable<TokenText> tokens) => request.Fields.ReturnsTokenIds ? [.. tokens.Select(t => t.Token.Id)] : null;
}
