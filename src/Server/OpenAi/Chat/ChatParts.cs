namespace Serving.Server.OpenAi;

/// <summary>The answers of a chat as what is thought, said and called; the same for every protocol.</summary>
sealed class ChatParts(ChatRequest request)
{
    readonly AnswerReader[] _readers = [.. Enumerable.Range(0, request.Generation.Choices).Select(_ => request.NewReader())];

    /// <summary>What a delta adds; an answer that has made the calls it may make ends with it.</summary>
    public List<AnswerPart> Of(TextDelta delta, TextRun run)
    {
        var reader = _readers[delta.Index];
        var parts = reader.Push(delta);
        if (reader.IsOver)
            run.Stop(delta);
        return parts;
    }

    /// <summary>Calls have a reason of their own, unless the client named the tool and knows.</summary>
    public string? FinishReason(TextDelta delta, TextRun run)
    {
        if (delta.FinishReason == "stop" && _readers[delta.Index].Calls > 0 && request.Tools is { IsNamed: false })
            run.FinishReasons[delta.Index] = "tool_calls";
        return delta.FinishReason is null ? null : run.FinishReasons[delta.Index];
    }

    /// <summary>Tokens so far, those of thoughts too where there may be some.</summary>
    public Usage Usage(TextRun run) => request.Reasoning is null ? run.Usage
        : run.Usage with { CompletionTokensDetails = (run.Usage.CompletionTokensDetails ?? new()) with { ReasoningTokens = _readers.Sum(reader => reader.ReasoningTokens) } };
}
