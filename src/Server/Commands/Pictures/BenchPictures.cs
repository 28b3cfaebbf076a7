using Serving.Devices;
using Serving.Server.Bench;

namespace Serving.Server.Commands;

/// <summary>What benches found, as pictures.</summary>
static class BenchPictures
{
    public static string Of(BenchReport report) => BarPicture.Of(
        $"{report.Model} without a server", $"{report.ModelBytes / 1e6:F0} MB of weights, a cache of {report.CacheType}, on {report.Device}",
        [.. report.Measured.GroupBy(measured => measured.What).Select(group => new BarChart(group.Key, "tokens a second", "least to most",
            [.. group.Select(measured => new Bar($"batch {measured.Batch}", measured.TokensPerSecond, $"{measured.TokensPerSecond:F1}")
            {
                Note = $"{measured.Least:F1} to {measured.Most:F1}", IsMarked = true,
            })]))]);

    public static string Of(ServeReport report) => BarPicture.Of($"{report.Model} over HTTP", report.Url,
    [
        new("Tokens a second", "tokens a second", "requests a second that kept the goal",
            [.. report.Loads.Select(load => new Bar(load.Load, load.TokensPerSecond, $"{load.TokensPerSecond:F1}") { Note = $"{load.Goodput:F2} of {load.RequestsPerSecond:F2}", IsMarked = true })]),
        Times("Time to the first token", report.Loads, load => load.FirstToken),
        Times("Time from token to token", report.Loads, load => load.Gap),
    ]);

    public static string Of(IReadOnlyList<Compared> rows) => BarPicture.Of("This engine and llama.cpp on the same files", "medians of runs in turns; llama.cpp with its best setting",
        [.. rows.GroupBy(row => (row.What, row.Context, row.Batch)).Select(group => new BarChart(
            $"{group.Key.What}, {group.Key.Context} tokens, batch {group.Key.Batch}", "tokens a second", "",
            [.. group.SelectMany(row => (Bar[])
            [
                new($"{row.File}, {row.Threads}", row.Ours, $"{row.Ours:F1}, {row.Ratio:F2}x") { IsMarked = true, Hint = $"{row.File}, {row.Threads} thread(s)" },
                new("llama.cpp", row.Theirs, $"{row.Theirs:F1}") { Hint = row.Setting },
            ])]))], left: 330);

    public static string Of(KernelReport report) => BarPicture.Of(
        "Kernels beside what the machine allows", $"{report.Device}; it reads {report.ReadBytesPerSecond / 1e9:F1} GB/s and multiplies {report.FlopsPerSecond / 1e9:F0} GFLOP/s",
        [.. report.Kernels.GroupBy(kernel => kernel.Kind).Select(group => new BarChart(group.Key, "per cent of the nearer ceiling", "GB/s and GFLOP/s",
            [.. group.Select(kernel => new Bar($"{kernel.Name}, {kernel.Rows}", 100 * kernel.ShareOf(report.Ceiling), $"{kernel.ShareOf(report.Ceiling):P0}")
            {
                Note = $"{kernel.BytesPerSecond / 1e9:F1}, {kernel.OperationsPerSecond / 1e9:F0}", IsMarked = kernel.Rows == 1,
            })]))], left: 420);

    static BarChart Times(string title, IReadOnlyList<Served> loads, Func<Served, Percentiles> times) => new(title, "milliseconds", "",
        [.. loads.SelectMany(load => (Bar[])
        [
            new(load.Load, times(load).P50, $"{times(load).P50:F1}") { Hint = "median", IsMarked = true },
            new("99 %", times(load).P99, $"{times(load).P99:F1}"),
        ])]);
}
