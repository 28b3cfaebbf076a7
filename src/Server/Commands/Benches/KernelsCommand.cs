using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Devices;

namespace Serving.Server.Commands;

/// <summary>bench kernels: each kernel of the CPU device beside what the machine reads and multiplies.</summary>
static class KernelsCommand
{
    static readonly Setting[] OfDevice = [Settings.CpuKernels, Settings.Dtype, Settings.ActivationDtype, Settings.Threads, Settings.PinThreads];

    public static Command Create()
    {
        var size = new Option<int>("--size") { Description = "Inputs and outputs of the matrices, a multiple of 256.", DefaultValueFactory = _ => 2048 };
        var rows = new Option<int[]>("--rows") { Description = "Rows of products and norms.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 8, 32, 512] };
        var context = new Option<int>("--context") { Description = "Cached tokens of each of the 8 sequences that attention reads.", DefaultValueFactory = _ => 1024 };
        var repeats = new Option<int>("--repeats") { Description = "Timed calls of each kernel; medians are shown.", DefaultValueFactory = _ => 9 };
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var plot = BarPicture.Option();
        var command = new Command("kernels", "Measures each kernel beside the machine's own limits.") { size, rows, context, repeats, json, plot };
        SettingOptions.AddTo(command, OfDevice);
        command.SetAction(parsed =>
        {
            int[] numbers = [parsed.GetValue(size), parsed.GetValue(context), parsed.GetValue(repeats), .. parsed.GetValue(rows)!];
            if (numbers.Any(number => number < 1) || numbers[0] % 256 != 0 || numbers[0] > 16_384 || parsed.GetValue(rows)!.Any(row => row > 4096))
                throw new SettingException("--size must be a multiple of 256 up to 16384, --rows 1 to 4096, --context and --repeats at least 1.");
            var read = new SettingReader(SettingOptions.Values(parsed), Environment.GetEnvironmentVariable);
            using var device = DeviceChoice.Cpu(read);
            var (ceiling, prints) = (device.Measure(), !parsed.GetValue(json));
            var report = new KernelReport(device.Description, ceiling.ReadBytesPerSecond, ceiling.FlopsPerSecond, []);
            if (prints) Console.WriteLine(Head(report, numbers[0]));
            report = report with { Kernels = KernelMeter.Measure(device, numbers[0], parsed.GetValue(rows)!, numbers[1], numbers[2], cost => { if (prints) Console.WriteLine(Line(cost, ceiling)); }) };
            if (!prints) Console.WriteLine(JsonSerializer.Serialize(report, KernelJson.Default.KernelReport));
            if (parsed.GetValue(plot) is { } path) BarPicture.Write(path, BenchPictures.Of(report));
            return 0;
        });
        return command;
    }

    static string Head(KernelReport report, int size) => $"""
        matrices of {size} x {size} on {report.Device}
        the machine reads {report.ReadBytesPerSecond / 1e9:F1} GB/s and multiplies {report.FlopsPerSecond / 1e9:F0} GFLOP/s in float32; a kernel's share is of the one that it comes nearer to
        kind        kernel                                                        rows       time us      GB/s   GFLOP/s   share
        """;

    static string Line(KernelCost cost, DeviceCeiling ceiling) =>
        $"{cost.Kind,-12}{cost.Name,-60}{cost.Rows,6}{cost.Seconds * 1e6,14:F1}{cost.BytesPerSecond / 1e9,10:F2}{cost.OperationsPerSecond / 1e9,10:F1}{cost.ShareOf(ceiling),8:P0}";
}

/// <summary>What the bench of kernels found.</summary>
sealed record KernelReport(string Device, double ReadBytesPerSecond, double FlopsPerSecond, IReadOnlyList<KernelCost> Kernels)
{
    [JsonIgnore]
    public DeviceCeiling Ceiling => new(ReadBytesPerSecond, FlopsPerSecond);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(KernelReport))]
sealed partial class KernelJson : JsonSerializerContext;
