namespace Serving.Server.OpenAi;

/// <summary>What a part of an answer is.</summary>
enum PartKind
{
    Content,
    Reasoning,

    /// <summary>A tool call begins; <see cref="AnswerPart.Text"/> is the tool's name.</summary>
    Call,

    /// <summary>More of the arguments of the call that began last.</summary>
    Arguments,
}

/// <summary>A part of an answer as clients see it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its text.</param>
/// <param name="Call">Which call it belongs to.</param>
/// <param name="Id">The id of a call that begins.</param>
readonly record struct AnswerPart(PartKind Kind, string Text, int Call = 0, string? Id = null)
{
    /// <summary>Adds a part to a list, to the last one where that goes on.</summary>
    public static void Add(List<AnswerPart> parts, AnswerPart part)
    {
        if (part.Kind != PartKind.Call && part.Text.Length == 0)
            return;
        if (parts.Count > 0 && parts[^1] is var last && last.Kind == part.Kind && part.Kind != PartKind.Call)
            parts[^1] = last with { Text = last.Text + part.Text };
        else
            parts.Add(part);
    }
}
