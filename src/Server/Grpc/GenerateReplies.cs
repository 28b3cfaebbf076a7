using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Serving.Protos;
using Serving.Sampling;
using Serving.Scheduling;
using Serving.Server.OpenAi;
using Serving.Text;

namespace Serving.Server.Grpc;

/// <summary>What happens in a run as the messages that tell it.</summary>
/// <param name="tokenizer">Spells tokens; null for a model that has none.</param>
/// <param name="chat">Splits the answers of a conversation; null for those to a prompt, which are text alone.</param>
/// <param name="time">The clock of the timings.</param>
sealed class GenerateReplies(Tokenizer? tokenizer, ChatParts? chat, TimeProvider time)
{
    readonly long _began = time.GetTimestamp();
    TimeSpan? _firstToken;

    /// <summary>The messages of one delta.</summary>
    public IEnumerable<GenerateReply> Of(TextDelta delta, TextRun run)
    {
        if (delta is { Begins: { } prompt, Index: 0 })
            yield return new() { Started = Started(prompt, run) };
        if (delta.Piece.Tokens.Length > 0)
            _firstToken ??= time.GetElapsedTime(_began);
        foreach (var piece in Pieces(delta, run))
            yield return new() { Piece = piece };
        if ((chat is null ? delta.FinishReason : chat.FinishReason(delta, run)) is { } reason)
            yield return new() { Finished = new() { Index = (uint)delta.Index, Reason = ReasonOf(reason) } };
    }

    /// <summary>A message for each part; the tokens go with the first, or alone where none is certain yet.</summary>
    IEnumerable<Piece> Pieces(TextDelta delta, TextRun run)
    {
        List<AnswerPart> parts = chat?.Of(delta, run) ?? (delta.Piece.Text.Length > 0 ? [new(PartKind.Content, delta.Piece.Text)] : []);
        if (parts.Count == 0 && delta.Piece.Tokens.Length > 0)
            parts.Add(new(PartKind.Content, ""));
        for (var i = 0; i < parts.Count; i++)
        {
            var piece = PieceOf(parts[i]);
            piece.Index = (uint)delta.Index;
            if (i == 0)
                piece.Tokens.AddRange(delta.Piece.Tokens.Select(t => Spelled(t.Token)));
            yield return piece;
        }
    }

    static Piece PieceOf(AnswerPart part) => part.Kind switch
    {
        PartKind.Content => new() { Text = part.Text },
        PartKind.Reasoning => new() { Reasoning = part.Text },
        PartKind.Call => new() { ToolCall = new() { Index = (uint)part.Call, Id = part.Id ?? "", Name = part.Text } },
        _ => new() { ToolCall = new() { Index = (uint)part.Call, Arguments = part.Text } },
    };

    /// <summary>The last message.</summary>
    public GenerateReply Summary(TextRun run)
    {
        var usage = chat?.Usage(run) ?? run.Usage;
        var counted = new Protos.Usage
        {
            PromptTokens = (uint)usage.PromptTokens,
            CompletionTokens = (uint)usage.CompletionTokens,
            TotalTokens = (uint)usage.TotalTokens,
            CachedTokens = (uint)usage.CachedTokens,
            AcceptedPredictionTokens = (uint)(usage.CompletionTokensDetails?.AcceptedPredictionTokens ?? 0),
        };
        if (usage.CompletionTokensDetails?.ReasoningTokens is { } thought)
            counted.ReasoningTokens = (uint)thought;
        return new()
        {
            Summary = new()
            {
                Usage = counted,
                Timings = new()
                {
                    TimeToFirstToken = _firstToken is { } first ? Duration.FromTimeSpan(first) : null,
                    Total = Duration.FromTimeSpan(time.GetElapsedTime(_began)),
                },
            },
        };
    }

    Started Started(GenerationEvent.Prompt prompt, TextRun run) => new()
    {
        PromptTokens = (uint)run.PromptTokens,
        CachedTokens = (uint)prompt.CachedTokens,
        PromptLogprobs = { prompt.Logprobs.IsDefault ? [] : prompt.Logprobs.Select(Spelled) },
    };

    Token Spelled(SampledToken token)
    {
        var spelled = new Token { Id = (uint)token.Id, Bytes = BytesOf(token.Id) };
        if (token.Logprob is { } logprob)
            spelled.Logprob = logprob;
        if (!token.Alternatives.IsDefault)
            spelled.TopLogprobs.AddRange(token.Alternatives.Select(a => new Alternative { Id = (uint)a.Id, Bytes = BytesOf(a.Id), Logprob = a.Logprob }));
        return spelled;
    }

    ByteString BytesOf(int id) => tokenizer is null ? ByteString.Empty : ByteString.CopyFrom(tokenizer.Bytes(id));

    static Finished.Types.Reason ReasonOf(string reason) => reason switch
    {
        "stop" => Finished.Types.Reason.Stop,
        "length" => Finished.Types.Reason.Length,
        "tool_calls" => Finished.Types.Reason.ToolCalls,
        _ => Finished.Types.Reason.Unspecified,
    };
}
