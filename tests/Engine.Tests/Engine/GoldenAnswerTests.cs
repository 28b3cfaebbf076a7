using Serving.Cache;
using Serving.Devices;
using Serving.Devices.Reference;
using Serving.Model;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>The engine's greedy answers, all asked at once, against those of another library in float32.</summary>
public sealed class GoldenAnswerTests
{
    /// <summary>How far a log-probability may be off while everything is float32.</summary>
    const float Tolerance = 2e-3f;

    /// <summary>Where two tokens are nearer than this, rounding may choose either.</summary>
    const float ExactMargin = 0.01f, RoundedMargin = 0.3f;

    [Fact]
    public async Task The_embedded_model_gives_all_golden_answers() =>
        Assert.InRange(await CompareAsync(RealModels.Embedded, 12, CacheType.Float32, ExactMargin), 300, int.MaxValue);

    [Fact]
    public async Task The_embedded_model_parts_from_them_with_a_rounded_cache_only_where_two_tokens_are_near() =>
        Assert.InRange(await CompareAsync(RealModels.Embedded, 12, CacheType.BFloat16, RoundedMargin), 150, int.MaxValue);

    [Fact]
    public async Task The_original_model_gives_golden_answers() =>
        Assert.InRange(await CompareAsync(RealModels.Original, 4, CacheType.Float32, ExactMargin), 60, int.MaxValue);

    [Fact]
    public async Task The_original_model_parts_from_them_with_a_rounded_cache_only_where_two_tokens_are_near() =>
        Assert.InRange(await CompareAsync(RealModels.Original, 4, CacheType.BFloat16, RoundedMargin), 40, int.MaxValue);

    /// <summary>Tokens that agree before the answers part, which they may where the margin is below one.</summary>
    static async Task<int> CompareAsync(string name, int count, CacheType cache, float margin)
    {
        var answers = RealModels.Answers(name)[..count];
        await using var model = RealModels.Load(name, new()
        {
            CacheType = cache, CacheBytes = 128 << 20, MaxModelLength = 256, MaxSequences = 16, TokensPerStep = 256,
        });
        var generations = answers.Select(answer => model.Engine.Start(
            new()
            {
                Prompt = [.. answer.Prompt], MaxTokens = answer.Ids.Length,
                Sampling = new() { Temperature = 0, Logprobs = 0, StopTokenIds = [RealModels.EndOfAnswer] },
            },
            TestContext.Current.CancellationToken)).ToArray();
        using var expected = SafetensorsFile.Open(Fixtures.Path($"real/{name}.safetensors"));
        var agreed = 0;
        foreach (var (answer, generation) in answers.Zip(generations))
        {
            var said = (await Said.ReadAllAsync(generation))[0];
            agreed += Agreed(answer, said, margin);
            if (cache == CacheType.Float32) CheckLogprobs(answer, said, expected);
        }

        return agreed;
    }

    static int Agreed(RealAnswer answer, Said said, float margin)
    {
        var ids = said.Ids;
        for (var step = 0; step < answer.Ids.Length; step++)
        {
            if (step < ids.Length && ids[step] == answer.Ids[step]) continue;
            Assert.True(
                answer.Margins[step] < margin,
                $"'{answer.Question}', step {step}: {string.Join(' ', ids.Skip(step).Take(1))}, expected {answer.Ids[step]} with a margin of {answer.Margins[step]}.");
            return step;
        }

        return answer.Ids.Length;
    }

    static void CheckLogprobs(RealAnswer answer, Said said, SafetensorsFile expected)
    {
        var best = expected.Tensors[$"{answer.Number}.top_logits"];
        var (row, sums) = (new float[best.Columns], Values(expected.Tensors[$"{answer.Number}.logsumexp"]));
        for (var step = 0; step < Math.Min(answer.Ids.Length, said.Tokens.Count) && said.Tokens[step].Id == answer.Ids[step]; step++)
        {
            RowWidening.Widen(best, step, row);
            var (logprob, wanted) = (said.Tokens[step].Logprob!.Value, row[0] - sums[step]);
            Assert.True(
                Math.Abs(logprob - wanted) < Tolerance,
                $"'{answer.Question}', step {step}: log-probability {logprob}, expected {wanted}.");
        }
    }

    static float[] Values(StoredTensor tensor)
    {
        var values = new float[tensor.Rows * tensor.Columns];
        for (var row = 0; row < tensor.Rows; row++) RowWidening.Widen(tensor, row, values.AsSpan(row * tensor.Columns, tensor.Columns));
        return values;
    }
}
