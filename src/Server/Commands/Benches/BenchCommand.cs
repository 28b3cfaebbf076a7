using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Devices;
using Serving.Devices.Cpu;
using Serving.Model;
using Serving.Server.Bench;

namespace Serving.Server.Commands;

/// <summary>bench: how fast a model runs here, beside what the machine allows.</summary>
static class BenchCommand
{
    public static Command Create()
    {
        var command = new Command("bench", "Measures speed.");
        command.Add(Engine());
        command.Add(BenchServeCommand.Create());
        command.Add(CompareCommand.Create());
        command.Add(TokenizerCommand.Create());
        command.Add(GrammarCommand.Create());
        command.Add(KernelsCommand.Create());
        command.Add(OverheadCommand.Create());
        command.Add(Schemes());
        return command;
    }

    static Command Engine()
    {
        var model = new Argument<string?>("model") { Description = "Checkpoint folder or file.", Arity = ArgumentArity.ZeroOrOne };
        var batches = new Option<int[]>("--batches") { Description = "Sequences that decode at once.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 8, 32] };
        var context = new Option<int>("--context") { Description = "Prompt tokens of each sequence.", DefaultValueFactory = _ => 32 };
        var tokens = new Option<int>("--tokens") { Description = "Tokens that each sequence decodes.", DefaultValueFactory = _ => 96 };
        var prefill = new Option<int>("--prefill") { Description = "Prompt tokens of the prefill measurement.", DefaultValueFactory = _ => 512 };
        var repeats = new Option<int>("--repeats") { Description = "Interleaved repeats; medians are shown.", DefaultValueFactory = _ => 3 };
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var plot = BarPicture.Option();
        var command = new Command("engine", "Measures the bare engine: prefill, and decode by batch size.") { model, batches, context, tokens, prefill, repeats, json, plot };
        SettingOptions.AddTo(command, Settings.OfEngine);
        command.SetAction(async (parsed, cancellation) =>
        {
            int[] numbers = [.. parsed.GetValue(batches)!, parsed.GetValue(context), parsed.GetValue(tokens), parsed.GetValue(prefill), parsed.GetValue(repeats)];
            if (numbers.Any(number => number < 1)) throw new SettingException("Batches, context, tokens, prefill and repeats must be at least 1.");
            await using var served = ModelLoading.Load(parsed.GetValue(model), parsed);
            var loaded = (LoadedModel)served.Owner!;
            var (bytes, flops) = loaded.MeasureDevice();
            var bench = new EngineBench(served.Engine, parsed.GetValue(tokens), parsed.GetValue(context)) { RowsAt = loaded.RowsAt };
            int[] sizes = [.. parsed.GetValue(batches)!.Order()];
            var measured = await ProgressBar.ShowAsync("measurements", parsed.GetValue(repeats) * (1 + sizes.Length), done =>
            {
                bench.Done = done;
                return bench.RunAsync(sizes, parsed.GetValue(prefill), parsed.GetValue(repeats), cancellation);
            });
            var report = new BenchReport(served.Ids[0], loaded.Device, loaded.Checkpoint.ByteLength, bytes, flops, measured)
            {
                CacheType = $"{loaded.Layout.Type}", CacheBytesPerToken = loaded.Layout.BytesPerToken,
            };
            Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(report, BenchJson.Default.BenchReport) : Table(report));
            if (parsed.GetValue(plot) is { } path) BarPicture.Write(path, BenchPictures.Of(report));
            return 0;
        });
        return command;
    }

    static Command Schemes()
    {
        var sequences = new Option<int>("--sequences") { Description = "Sequences that decode at once.", DefaultValueFactory = _ => 16 };
        var context = new Option<int>("--context") { Description = "Tokens that each has cached.", DefaultValueFactory = _ => 2048 };
        var repeats = new Option<int>("--repeats") { Description = "Timed steps of each kind, in turns; medians are shown.", DefaultValueFactory = _ => 5 };
        var threads = new Option<int>("--threads") { Description = "CPU threads; 0 takes all processors." };
        var type = new Option<CacheType>("--kv-cache-dtype") { Description = "How rows are stored.", DefaultValueFactory = _ => CacheType.BFloat16 };
        var command = new Command("schemes", "Measures decode attention by what is cached and how it is read, and given tokens over latents both ways.") { sequences, context, repeats, threads, type };
        command.SetAction(parsed =>
        {
            int[] numbers = [parsed.GetValue(sequences), parsed.GetValue(context), parsed.GetValue(repeats)];
            if (numbers.Any(number => number < 1) || parsed.GetValue(threads) < 0)
                throw new SettingException("Sequences, context and repeats must be at least 1, threads at least 0.");
            using var device = new CpuDevice(parsed.GetValue(threads));
            var costs = AttendMeter.Measure(device, numbers[0], numbers[1], numbers[2], parsed.GetValue(type));
            Console.WriteLine($"{numbers[0]} sequences x {numbers[1]} cached tokens in {parsed.GetValue(type)}, one layer, one step, on {device.Description}");
            Console.WriteLine(Table(costs));
            var ceiling = device.Measure();
            foreach (var behind in (int[])[0, numbers[1]]) Console.WriteLine(Executions(device, ceiling, behind, numbers[2], parsed.GetValue(type)));
            return 0;
        });
        return command;
    }

    /// <summary>Each kind beside the first two: the first is bound by bytes, the second by products; the factor is to the slower bound.</summary>
    static string Table(IReadOnlyList<AttendCost> costs)
    {
        double PerByte(AttendCost cost) => cost.Seconds / cost.Bytes;
        double PerProduct(AttendCost cost) => cost.Seconds / cost.Products;
        var (perByte, perProduct) = (PerByte(costs[0]), PerProduct(costs[1]));
        return string.Join('\n', costs.Select(cost => $"{cost.Kind,-52}{cost.Seconds * 1e3,9:F2} ms {cost.Bytes / 1e6,8:F1} MB {PerByte(cost) * 1e12,8:F1} ps/byte "
            + $"{PerProduct(cost) * 1e12,7:F2} ps/product  {cost.Seconds / Math.Max(cost.Bytes * perByte, cost.Products * perProduct),5:F2}x"));
    }

    /// <summary>Both executions of a layer with latents by the number of given tokens, and where they cross: as measured, and as admission predicts.</summary>
    static string Executions(IDevice device, DeviceCeiling ceiling, int behind, int repeats, CacheType type)
    {
        var costs = ExecutionMeter.Measure(device, behind, [32, 64, 128, 192, 256, 384, 512], repeats, type);
        var measured = ExecutionMeter.Crossover(costs) is { } tokens ? $"from {tokens:F0} tokens on" : "for none of these";
        var (latent, rotary, key, value) = (ExecutionMeter.Latent, ExecutionMeter.Rotary, ExecutionMeter.Key, ExecutionMeter.Value);
        RowFormat format = type;
        var predicted = ExecutionChoice.Crossover(new(ExecutionMeter.Heads, latent, rotary, key, value), behind, (int)(format.VectorBytes(latent) + format.VectorBytes(rotary)), ceiling, 512);
        return string.Join('\n', costs.Select(cost => $"{cost.Tokens,6} given tokens{cost.Absorbed * 1e3,9:F2} ms absorbed{cost.Expanded * 1e3,9:F2} ms expanded")
            .Prepend($"a latent of {ExecutionMeter.Latent} and {ExecutionMeter.Heads} heads, behind {behind} cached tokens")
            .Append($"       expanded is faster {measured}, by the roofline ({ceiling.ReadBytesPerSecond / 1e9:F1} GB/s, {ceiling.FlopsPerSecond / 1e9:F0} GFLOP/s) "
                + $"{(predicted is { } least ? $"from {least} on" : "never")}; prompts are expanded from {ExecutionChoice.Crossover(latent, key, value)} on, whatever lies before"));
    }

    static string Table(BenchReport report)
    {
        var bound = report.ReadBytesPerSecond / report.ModelBytes;
        var single = report.Measured.First(m => m.What == "decode").TokensPerSecond;
        var lines = report.Measured.Select(m =>
            $"{m.What,-14} batch {m.Batch,3}  {m.TokensPerSecond,8:F1} tokens/s  ({m.Least:F1} to {m.Most:F1})" + (m.What != "decode" ? "" : $"  {m.TokensPerSecond / single:F2}x of batch {report.Measured.First(d => d.What == "decode").Batch}")
            + (m.Cache is { } cache ? $"; {cache.NanosecondsPerToken:F0} ns a cached token, {cache.NanosecondsPerByte:F3} ns a cached byte" : ""));
        return $"""
            {report.Model}, {report.ModelBytes / 1e6:F0} MB of weights, on {report.Device}; a token leaves {report.CacheBytesPerToken:#,0.##} bytes in a cache of {report.CacheType}
            the machine reads {report.ReadBytesPerSecond / 1e9:F1} GB/s and multiplies {report.FlopsPerSecond / 1e9:F0} GFLOP/s: at batch 1 memory allows {bound:F1} tokens/s, reached {single:F1} ({single / bound:P0})
            {string.Join('\n', lines)}
            """;
    }
}

/// <summary>What the bench of an engine found.</summary>
sealed record BenchReport(string Model, string Device, long ModelBytes, double ReadBytesPerSecond, double FlopsPerSecond, IReadOnlyList<Measured> Measured)
{
    public string CacheType { get; init; } = "";

    public double CacheBytesPerToken { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BenchReport))]
[JsonSerializable(typeof(List<Compared>))]
[JsonSerializable(typeof(List<Encoded>))]
[JsonSerializable(typeof(List<GrammarCost>))]
sealed partial class BenchJson : JsonSerializerContext;
