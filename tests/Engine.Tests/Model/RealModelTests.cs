using System.Text.Json;
using Serving.Devices;
using Serving.Devices.Cpu;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>The embedded model against the answers and logits of a float32 run in another library.</summary>
public abstract class RealModelTests(Func<IDevice> device)
{
    const string Model = "smollm2-135m-instruct-mfa";
    const float Tolerance = 2e-3f;

    [Fact]
    public void The_steadiest_answer_is_golden_to_its_end()
    {
        using var expected = SafetensorsFile.Open(Fixtures.Path($"real/{Model}.safetensors"));
        using var harness = new DecoderHarness(Checkpoint.Open(Fixtures.InRepository($"models/{Model}")), device());
        var cases = JsonDocument.Parse(File.ReadAllText(Fixtures.Path($"real/{Model}.json"))).RootElement;
        var number = Enumerable.Range(0, cases.GetArrayLength()).Single(k => cases[k].GetProperty("question").GetString() == "List three fruits.");
        var (prompt, answer) = (Ids(cases[number].GetProperty("prompt_ids")), Ids(cases[number].GetProperty("ids")));
        var logits = harness.Prefill(prompt, 64, prompt.Length + answer.Length)[^1];
        var top = expected.Int64($"{number}.top_ids");
        var best = expected.Tensors[$"{number}.top_logits"];
        var row = new float[best.Columns];
        for (var step = 0; step < answer.Length; step++)
        {
            RowWidening.Widen(best, step, row);
            for (var i = 0; i < row.Length; i++)
                Assert.True(Math.Abs(row[i] - logits[top[step * row.Length + i]]) < Tolerance, $"step {step}, alternative {i}: {logits[top[step * row.Length + i]]}, expected {row[i]}");
            Assert.Equal(answer[step], Array.IndexOf(logits, logits.Max()));
            logits = harness.Run([answer[step]], prompt.Length + step, prompt.Length + answer.Length)[0];
        }
    }

    static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];
}

public sealed class CpuRealModelTests() : RealModelTests(() => new CpuDevice());
