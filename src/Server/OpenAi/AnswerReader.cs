namespace Serving.Server.OpenAi;

/// <summary>Splits the text of one answer into what the model thinks, says and calls; without either reader all of it is said.</summary>
sealed class AnswerReader(ReasoningReader? reasoning, ToolReader? tools)
{
    /// <summary>Calls that have begun.</summary>
    public int Calls => tools?.Calls ?? 0;

    /// <summary>Tokens of thoughts.</summary>
    public int ReasoningTokens { get; private set; }

    /// <summary>Whether what follows does not belong to the answer.</summary>
    public bool IsOver => tools?.IsOver ?? false;

    /// <summary>What a delta adds to the answer.</summary>
    public List<AnswerPart> Push(TextDelta delta)
    {
        var parts = new List<AnswerPart>();
        if (reasoning is { IsThinking: true })
            ReasoningTokens += delta.Piece.Tokens.Length;
        Say(reasoning is null ? delta.Piece.Text : reasoning.Push(delta.Piece.Text, parts), parts);
        if (delta.FinishReason is null)
            return parts;
        if (reasoning is not null)
            Say(reasoning.Flush(parts), parts);
        tools?.Flush(parts);
        return parts;
    }

    void Say(string text, List<AnswerPart> parts)
    {
        if (tools is null)
            AnswerPart.Add(parts, new(PartKind.Content, text));
        else
            tools.Push(text, parts);
    }
}
