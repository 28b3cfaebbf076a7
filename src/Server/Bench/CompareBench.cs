using System.Diagnostics;

namespace Serving.Server.Bench;

/// <summary>What is measured on both sides.</summary>
/// <param name="What">prefill or decode.</param>
/// <param name="Context">Prompt tokens.</param>
/// <param name="Batch">Sequences at once.</param>
sealed record Scenario(string What, int Context, int Batch);

/// <summary>One scenario on one file: medians of both sides in tokens a second, and the median of the ratios of neighbouring runs.</summary>
sealed record Compared(string File, int Threads, string What, int Context, int Batch, double Ours, double Theirs, double Ratio, string Setting);

/// <summary>
/// Runs this engine and llama.cpp on one file in turns, in one process: the same prompts, greedy, medians of pairs of neighbouring runs,
/// so that what the machine does meanwhile meets both. llama.cpp has each scenario's best of the cache and flash settings.
/// </summary>
sealed class CompareBench(LlamaLibrary library, LlmEngine engine, string path, int threads, LlamaSetting[] settings) : IDisposable
{
    // The spinning workers of the other side come to rest.
    static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(20);

    readonly nint _model = library.Load(path);
    readonly Random _ids = new(2);

    /// <summary>Measures a scenario in <paramref name="pairs"/> pairs.</summary>
    public async Task<Compared> RunAsync(Scenario scenario, int tokens, int pairs, CancellationToken cancellation)
    {
        var bench = new EngineBench(engine, tokens, scenario.Context);
        var prompt = Enumerable.Range(0, scenario.Context).Select(_ => _ids.Next(engine.VocabularySize)).ToArray();
        var (best, setting) = Best(scenario, tokens, prompt);
        using var llama = best;
        await OursAsync();
        var first = llama.Prefill(prompt);
        var (ours, theirs) = (new List<double>(), new List<double>());
        for (var pair = 0; pair < pairs; pair++)
        {
            await Task.Delay(Rest, cancellation);
            ours.Add(await OursAsync());
            await Task.Delay(Rest, cancellation);
            theirs.Add(scenario.What == "prefill" ? Prefill(llama, prompt) : Decode(llama, scenario, first, tokens));
        }
        var ratios = ours.Zip(theirs, (mine, its) => mine / its);
        return new(Path.GetFileName(path), threads, scenario.What, scenario.Context, scenario.Batch, Median(ours), Median(theirs), Median(ratios), setting.ToString());

        Task<double> OursAsync() => scenario.What == "prefill" ? bench.PrefillAsync(scenario.Context, cancellation) : bench.DecodeAsync(scenario.Batch, cancellation);
    }

    /// <summary>Gives llama.cpp's model back.</summary>
    public void Dispose() => library.FreeModel(_model);

    (LlamaRun Run, LlamaSetting Setting) Best(Scenario scenario, int tokens, int[] prompt)
    {
        (LlamaRun Run, LlamaSetting Setting)? best = null;
        var most = 0.0;
        foreach (var setting in settings)
        {
            var size = (scenario.Batch, scenario.Context + tokens + 8, threads);
            if (LlamaRun.Start(library, _model, size, setting, engine.VocabularySize) is not { } run) continue;
            var first = run.Prefill(prompt);
            var rate = scenario.What == "prefill" ? Prefill(run, prompt) : Decode(run, scenario, first, Math.Max(4, tokens / 4));
            if (rate > most) (most, best, run) = (rate, (run, setting), best?.Run!);
            run?.Dispose();
        }
        return best ?? throw new InvalidOperationException($"llama.cpp takes none of the settings for {path}.");
    }

    static double Prefill(LlamaRun run, int[] prompt)
    {
        var started = Stopwatch.GetTimestamp();
        run.Prefill(prompt);
        return prompt.Length / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    static double Decode(LlamaRun run, Scenario scenario, int first, int tokens)
    {
        var started = Stopwatch.GetTimestamp();
        run.Generate(first, scenario.Context, tokens);
        return tokens * scenario.Batch / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }
}
