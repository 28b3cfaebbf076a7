using System.Collections.Immutable;
using Serving.Sampling;

namespace Serving.Scheduling;

/// <summary>What a request wants to know of its own prompt, gathered row by row.</summary>
sealed class PromptReport
{
    readonly ImmutableArray<SampledToken>.Builder _scores = ImmutableArray.CreateBuilder<SampledToken>();
    float[] _sum = [];

    /// <summary>Scores of the prompt tokens after the first, so far.</summary>
    public ImmutableArray<SampledToken> Scores => _scores.ToImmutable();

    /// <summary>Forgets everything: the prompt is computed anew.</summary>
    public void Clear()
    {
        _scores.Clear();
        _sum.AsSpan().Clear();
    }

    /// <summary>Adds the score of the next prompt token.</summary>
    public void Add(SampledToken score) => _scores.Add(score);

    /// <summary>Adds the hidden state of the next row.</summary>
    public void Add(ReadOnlySpan<float> hidden)
    {
        if (_sum.Length == 0) _sum = new float[hidden.Length];
        for (var i = 0; i < hidden.Length; i++) _sum[i] += hidden[i];
    }

    /// <summary>The mean over rows.</summary>
    public float[] Mean(int rows) => Array.ConvertAll(_sum, value => value / rows);
}
