using Serving.Devices;
using Serving.Model;

namespace Serving.Tests;

/// <summary>
/// A model of bytes whose likeliest next token depends on the last one alone: after a line break it says <see cref="Script"/>, after an x it says x
/// for ever, after anything else it ends the turn. Other tokens follow at distances that depend on token and position.
/// </summary>
sealed class ScriptedDecoder : IDecoder
{
    /// <summary>Bytes that all differ, so that each names the next.</summary>
    public const string Script = "One☃two, é!";

    readonly Dictionary<int, int> _next = [];
    readonly float[] _logits = new float[Rows * TinyText.Vocabulary];
    StepInput _step = new(1, 1, 1);

    const int Rows = 64;

    public ScriptedDecoder()
    {
        int[] chain = ['\n', .. System.Text.Encoding.UTF8.GetBytes(Script).Select(b => (int)b), TinyText.EndOfTurn];
        foreach (var (token, next) in chain.Zip(chain.Skip(1)))
            _next[token] = next;
        _next['x'] = 'x';
    }

    /// <summary>Closed, it holds every step up.</summary>
    public ManualResetEventSlim Gate { get; } = new(true);

    /// <summary>Thrown by the next step.</summary>
    public Exception? Failure { get; set; }

    public int VocabularySize => TinyText.Vocabulary;

    public int HiddenSize => 4;

    public int LogitRows => Rows;

    public void Forward(StepInput step)
    {
        Gate.Wait();
        _step = step;
        if (Failure is { } failure)
        {
            Failure = null;
            throw failure;
        }
    }

    public Span<float> Logits(ReadOnlySpan<int> rows)
    {
        for (var i = 0; i < rows.Length; i++)
            Row(_step.Tokens[rows[i]], _step.Rows.Positions[rows[i]], _logits.AsSpan(i * VocabularySize, VocabularySize));
        return _logits.AsSpan(0, rows.Length * VocabularySize);
    }

    public void Hidden(int row, Span<float> destination) => destination.Clear();

    public void CopyStates(ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
    }

    public void CopyPages(int pageGroup, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
    }

    public void SwapPages(Swap way, int pageGroup, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
    }

    void Row(int token, int position, Span<float> logits)
    {
        for (var i = 0; i < logits.Length; i++)
            logits[i] = (i * 31 + token * 17 + position * 7) % 101 / 50f;
        logits[_next.GetValueOrDefault(token, TinyText.EndOfTurn)] = 8;
    }
}
