using System.Diagnostics;

namespace Serving.Devices;

/// <summary>What attention of some given tokens over latents cost in one layer, each way, maps and rebuilding included.</summary>
/// <param name="Tokens">Given tokens.</param>
/// <param name="Absorbed">Seconds over latents as they are.</param>
/// <param name="Expanded">Seconds over rebuilt keys and values.</param>
public sealed record ExecutionCost(int Tokens, double Absorbed, double Expanded);

/// <summary>Times both executions of a layer that caches latents, in turns, by the number of given tokens.</summary>
public static class ExecutionMeter
{
    const int PageRows = 64;

    /// <summary>Sizes of the layer: those of DeepSeek-V2-Lite.</summary>
    public const int Heads = 16, Latent = 512, Rotary = 64, Key = 128, Value = 128;

    /// <summary>Measures each number of tokens; medians of the repeats.</summary>
    /// <param name="device">The device.</param>
    /// <param name="behind">Rows that are cached before the given tokens.</param>
    /// <param name="tokens">Numbers of given tokens.</param>
    /// <param name="repeats">Timed runs of each kind.</param>
    /// <param name="type">How rows are stored.</param>
    public static IReadOnlyList<ExecutionCost> Measure(IDevice device, int behind, IReadOnlyList<int> tokens, int repeats, CacheType type)
    {
        using var drawn = new DrawnTensors(device);
        var (keyMap, keys, values) = (drawn.Weights(Heads, Latent, Key), drawn.Weights(Heads, Key, Latent), drawn.Weights(Heads, Value, Latent));
        var (most, pageCount) = (tokens.Max(), (behind + tokens.Max() + PageRows - 1) / PageRows);
        var rows = new AttendRows(Stream(Latent), Stream(Rotary), default);
        var (query, rotary, output) = (drawn.Vectors(most, Heads, Key), drawn.Vectors(most, Heads, Rotary), drawn.Vectors(most, Heads, Value));
        var (main, attended) = (drawn.Vectors(most, Heads, Latent), drawn.Vectors(most, Heads, Latent));
        var (batch, pages) = (new RowBatch(most, 1), new PageBatch(1));
        return [.. tokens.Select(Cost)];

        ExecutionCost Cost(int count)
        {
            batch.Clear();
            batch.Add(behind, count);
            pages.Clear();
            pages.Add([.. Enumerable.Range(0, pageCount)]);
            var (absorbed, expanded) = (new double[repeats + 1], new double[repeats + 1]);
            // The first of each is not counted.
            for (var repeat = 0; repeat <= repeats; repeat++) (absorbed[repeat], expanded[repeat]) = (Time(() => Absorb(count)), Time(() => Expand(count)));
            return new(count, absorbed[1..].Order().ElementAt(repeats / 2), expanded[1..].Order().ElementAt(repeats / 2));
        }

        void Absorb(int count)
        {
            device.MultiplyHeads(keyMap, query.Take(count), main.Take(count));
            device.Attend(new(Heads, 1, Latent, Rotary, Latent, true), new(0.1f), main.Take(count), rotary.Take(count), rows, batch, pages, attended.Take(count));
            device.MultiplyHeads(values, attended.Take(count), output.Take(count));
        }

        void Expand(int count) =>
            device.AttendExpanded(new(0.1f), new(keys, values), query.Take(count), rotary.Take(count), rows, batch, pages, output.Take(count));

        double Time(Action run)
        {
            var start = Stopwatch.GetTimestamp();
            run();
            // Waits for devices that run behind.
            device.Read(output.Take(1), new float[output.Columns]);
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        PagedRows Stream(int width)
        {
            RowFormat format = type;
            var bytes = (long)PageRows * format.VectorBytes(width);
            return new(drawn.Take(pageCount * bytes), bytes, PageRows, 1, width, format);
        }
    }

    /// <summary>From how many tokens on rebuilding is faster, between the numbers that were measured; null where it is not for the most of them.</summary>
    public static double? Crossover(IReadOnlyList<ExecutionCost> costs)
    {
        double Gain(int i) => Math.Log(costs[i].Absorbed / costs[i].Expanded);
        var last = Enumerable.Range(0, costs.Count).LastOrDefault(i => Gain(i) < 0, -1);
        if (last < 0) return costs[0].Tokens;
        if (last == costs.Count - 1) return null;
        var (before, after) = (Gain(last), Gain(last + 1));
        return costs[last].Tokens + (costs[last + 1].Tokens - costs[last].Tokens) * -before / (after - before);
    }
}
