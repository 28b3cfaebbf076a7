using System.Text;
using Serving.Scheduling;

namespace Serving.Server.OpenAi;

/// <summary>An answer as it stands at its end: the same deltas that a stream sends, added up.</summary>
sealed class TextAnswer
{
    readonly StringBuilder _text = new();

    public string Text => _text.ToString();

    public List<TokenText> Tokens { get; } = [];

    public GenerationEvent.Prompt? Prompt { get; private set; }

    public string FinishReason { get; private set; } = "";

    /// <summary>How likely the model found its own answer, for best_of.</summary>
    public double MeanLogprob => Tokens.Count == 0 ? double.NegativeInfinity : Tokens.Average(t => (double)(t.Token.Logprob ?? 0));

    public static async Task<TextAnswer[]> ReadAllAsync(TextRun run, CancellationToken cancellation)
    {
        var answers = new List<TextAnswer>();
        await foreach (var delta in run.ReadAsync(cancellation))
        {
            while (answers.Count <= delta.Index)
                answers.Add(new());
            answers[delta.Index].Add(delta);
        }
        return [.. answers];
    }

    void Add(TextDelta delta)
    {
        Prompt ??= delta.Begins;
        _text.Append(delta.Piece.Text);
        Tokens.AddRange(delta.Piece.Tokens);
        FinishReason = delta.FinishReason ?? FinishReason;
    }
}
