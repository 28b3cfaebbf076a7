using System.Text.Json;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>One greedy answer of a real model, computed in float32 by another library.</summary>
/// <param name="Number">Its place in the fixture.</param>
/// <param name="Question">What was asked.</param>
/// <param name="Prompt">The rendered question.</param>
/// <param name="Ids">The answer, with its end token.</param>
/// <param name="Margins">The best logit minus the second, at each step.</param>
sealed record RealAnswer(int Number, string Question, int[] Prompt, int[] Ids, float[] Margins);

/// <summary>The model that comes with the program, the published one it was made from, and what both should say.</summary>
static class RealModels
{
    public const string Embedded = "smollm2-135m-instruct-mfa";
    public const string Original = "smollm2-135m-instruct";
    public const int EndOfAnswer = 2;

    /// <summary>The answers of a model.</summary>
    public static RealAnswer[] Answers(string model)
    {
        using var file = JsonDocument.Parse(File.ReadAllText(Fixtures.Path($"real/{model}.json")));
        return [.. file.RootElement.EnumerateArray().Select((answer, number) => new RealAnswer(
            number, answer.GetProperty("question").GetString()!, Ints(answer.GetProperty("prompt_ids")), Ints(answer.GetProperty("ids")),
            [.. answer.GetProperty("margins").EnumerateArray().Select(margin => margin.GetSingle())]))];
    }

    /// <summary>A model behind an engine, or a skipped test where the model does not lie.</summary>
    public static LoadedModel Load(string model, EngineOptions options, int threads = 2) =>
        new(Checkpoint.Open(Folder(model)), new CpuDevice(threads), options);

    /// <summary>Where a model lies, or a skipped test.</summary>
    public static string Folder(string model)
    {
        var own = Fixtures.InRepository($"models/{model}");
        if (Directory.Exists(own)) return own;
        var shared = Environment.GetEnvironmentVariable("SERVING_SHARED") ?? Path.GetFullPath(Fixtures.InRepository("../shared"));
        var beside = Path.Combine(shared, "models", model);
        if (!Directory.Exists(beside)) Assert.Skip($"There is no {beside}; SERVING_SHARED may name the folder above models/{model}.");
        return beside;
    }

    /// <summary>Bytes of a cache page of a model whose layers all remember everything.</summary>
    public static long PageBytes(string model, EngineOptions options)
    {
        using var checkpoint = Checkpoint.Open(Folder(model));
        var plan = ModelTypes.Plan(new(checkpoint.Config, checkpoint.OpenLedger()));
        return new CacheLayout([.. plan.Attentions], options.PageTokens ?? 64, options.CacheType).Groups.Single().PageBytes;
    }

    static int[] Ints(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];
}
