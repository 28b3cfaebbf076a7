using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Serving.Protos;
using Serving.Sampling;
using Serving.Scheduling;
using Serving.Server.OpenAi;
using Serving.Text;

namespace Serving.Server.Grpc;

/// <summary>What happens in a run as the messages that tell it.</summary>
sealed class GenerateReplies(Tokenizer? tokenizer, TimeProvider time)
{
    readonly long _began = time.GetTimestamp();
    TimeSpan? _firstToken;

    /// <summary>The messages of one delta.</summary>
    public IEnumerable<GenerateReply> Of(TextDelta delta, TextRun run)
    {
        if (delta is { Begins: { } prompt, Index: 0 })
            yield return new() { Started = Started(prompt, run) };
        if (delta.Piece.Text.Length > 0 || delta.Piece.Tokens.Length > 0)
        {
            _firstToken ??= time.GetElapsedTime(_began);
            yield return new() { Piece = new() { Index = (uint)delta.Index, Text = delta.Piece.Text, Tokens = { delta.Piece.Tokens.Select(t => Spelled(t.Token)) } } };
        }
        if (delta.FinishReason is { } reason)
            yield return new() { Finished = new() { Index = (uint)delta.Index, Reason = ReasonOf(reason) } };
    }

    /// <summary>The last message.</summary>
    public GenerateReply Summary(TextRun run)
    {
        var usage = run.Usage;
        return new()
        {
            Summary = new()
            {
                Usage = new()
                {
                    PromptTokens = (uint)usage.PromptTokens,
                    CompletionTokens = (uint)usage.CompletionTokens,
                    TotalTokens = (uint)usage.TotalTokens,
                    CachedTokens = (uint)usage.CachedTokens,
                    AcceptedPredictionTokens = (uint)(usage.CompletionTokensDetails?.AcceptedPredictionTokens ?? 0),
                },
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
        _ => Finished.Types.Reason.Unspecified,
    };
}
