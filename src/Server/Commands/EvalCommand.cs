using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Serialization;
using Serving.Scheduling;

namespace Serving.Server.Commands;

/// <summary>eval: how well a model predicts a text, computed by the engine that serves it.</summary>
static class EvalCommand
{
    /// <summary>Windows that the engine has at once.</summary>
    const int InFlight = 4;

    public static Command Create()
    {
        var model = new Argument<string?>("model") { Description = "Checkpoint folder or file.", Arity = ArgumentArity.ZeroOrOne };
        var file = new Option<string>("--perplexity") { Description = "Text file to predict.", Required = true, HelpName = "file" };
        var window = new Option<int>("--window") { Description = "Tokens of a window; each is predicted on its own.", DefaultValueFactory = _ => 1024 };
        var windows = new Option<int?>("--windows") { Description = "Windows from the start of the text; all when left out." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var command = new Command("eval", "Measures the perplexity of a text.") { model, file, window, windows, json };
        SettingOptions.AddTo(command, Settings.OfEngine);
        command.SetAction(async (parsed, cancellation) =>
        {
            var limits = (Tokens: parsed.GetValue(window), Windows: parsed.GetValue(windows) ?? int.MaxValue);
            if (limits.Tokens < 2 || limits.Windows < 1)
                throw new SettingException("--window must be at least 2 and --windows at least 1.");
            await using var served = ModelLoading.Load(parsed.GetValue(model), parsed);
            var report = await MeasureAsync(served, parsed.GetValue(file)!, limits, cancellation);
            Console.WriteLine(parsed.GetValue(json)
                ? System.Text.Json.JsonSerializer.Serialize(report, EvalJson.Default.EvalReport)
                : $"perplexity {report.Perplexity:F4} over {report.Scored} tokens in {report.Windows} windows, {report.TokensPerSecond:F1} tokens/s");
            return 0;
        });
        return command;
    }

    static async Task<EvalReport> MeasureAsync(ServedModel model, string path, (int Tokens, int Windows) limits, CancellationToken cancellation)
    {
        var tokenizer = model.Tokenizer ?? throw new SettingException($"{model.Ids[0]} has no tokenizer; a text cannot be predicted.");
        var text = await File.ReadAllTextAsync(path, cancellation);
        var ids = tokenizer.Encode(text, addSpecial: false, parseSpecial: false);
        var length = Math.Min(limits.Tokens, ids.Length);
        if (length < 2)
            throw new SettingException($"{path} has {ids.Length} tokens; at least 2 are needed.");
        var windows = Enumerable.Range(0, (int)Math.Min(limits.Windows, ids.LongLength / length)).Select(i => ids[(i * length)..((i + 1) * length)]);
        var started = Stopwatch.GetTimestamp();
        var sums = new List<double>();
        var batches = windows.Chunk(InFlight).ToList();
        await ProgressBar.ShowAsync("windows", batches.Count, async done =>
        {
            foreach (var batch in batches)
            {
                sums.AddRange(await Task.WhenAll(batch.Select(window => LossAsync(model.Engine, window, cancellation))));
                done();
            }
            return sums;
        });
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var scored = sums.Count * (length - 1);
        return new(model.Ids[0], path, sums.Count, length, scored, Math.Exp(sums.Sum() / scored)) { Seconds = seconds, TokensPerSecond = sums.Count * length / seconds };
    }

    /// <summary>The sum of the negative log-probabilities of a window's tokens but the first.</summary>
    static async Task<double> LossAsync(LlmEngine engine, int[] window, CancellationToken cancellation)
    {
        using var generation = engine.Start(new() { Prompt = [.. window], MaxTokens = 0, PromptLogprobs = 0 }, cancellation);
        var loss = double.NaN;
        await foreach (var happened in generation.Events.ReadAllAsync(cancellation))
        {
            if (happened is GenerationEvent.Prompt prompt)
                loss = -prompt.Logprobs.Sum(token => (double)token.Logprob!.Value);
            else if (happened is GenerationEvent.Finished { Reason: FinishReason.Failed } end)
                throw new InvalidOperationException($"The engine could not go on: {end.Error}");
        }
        return loss;
    }
}

/// <summary>What eval found.</summary>
sealed record EvalReport(string Model, string File, int Windows, int Window, int Scored, double Perplexity)
{
    public double Seconds { get; init; }

    public double TokensPerSecond { get; init; }
}

/// <summary>Serialisation of eval's report.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(EvalReport))]
sealed partial class EvalJson : JsonSerializerContext;
