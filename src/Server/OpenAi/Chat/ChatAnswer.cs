using System.Text;
using Serving.Scheduling;

namespace Serving.Server.OpenAi;

/// <summary>An answer of a chat as it stands at its end: the same parts that a stream sends, added up.</summary>
sealed class ChatAnswer
{
    readonly StringBuilder _content = new();
    readonly StringBuilder _reasoning = new();
    readonly List<(string Id, string Name, StringBuilder Arguments)> _calls = [];

    public List<TokenText> Tokens { get; } = [];

    public GenerationEvent.Prompt? Prompt { get; private set; }

    public string FinishReason { get; private set; } = "";

    public ChatMessage Message => new(_calls.Count > 0 && _content.Length == 0 ? null : _content.ToString())
    {
        ReasoningContent = _reasoning.Length > 0 ? _reasoning.ToString() : null,
        ToolCalls = _calls.Count == 0 ? null
            : [.. _calls.Select(call => new ChatToolCall(new(call.Arguments.ToString()) { Name = call.Name }) { Id = call.Id, Type = "function" })],
    };

    public void Add(TextDelta delta, List<AnswerPart> parts, string? finishReason)
    {
        Prompt ??= delta.Begins;
        Tokens.AddRange(delta.Piece.Tokens);
        FinishReason = finishReason ?? FinishReason;
        foreach (var part in parts)
        {
            if (part.Kind == PartKind.Call)
                _calls.Add((part.Id!, part.Text, new()));
            else
                (part.Kind switch { PartKind.Content => _content, PartKind.Reasoning => _reasoning, _ => _calls[^1].Arguments }).Append(part.Text);
        }
    }
}
