using System.CommandLine;
using System.Text.Json;
using Serving.Server.Bench;

namespace Serving.Server.Commands;

/// <summary>bench compare: this engine and llama.cpp on the same files, in turns.</summary>
static class CompareCommand
{
    const string Fetched = "artifacts/llama.cpp/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64";

    public static Command Create()
    {
        var model = new Argument<string>("model") { Description = "GGUF file (of a split one: its first part) that llama.cpp reads too." };
        var llama = new Option<string>("--llama-cpp") { Description = "Folder with libllama and libggml of @node-llama-cpp/linux-x64.", DefaultValueFactory = _ => Fetched };
        var copies = new Option<string>("--copies") { Description = "Folder for the model's copies of other types.", DefaultValueFactory = _ => "artifacts/bench" };
        var types = new Option<string[]>("--types") { Description = "The file itself (file) and its copies: bf16, q8_0, q4_0.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => ["file", "bf16", "q8_0", "q4_0"] };
        var scenarios = new Option<string[]>("--scenarios")
        {
            Description = "What is measured: prefill:TOKENS or decode:CONTEXT:BATCH.", AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => ["prefill:512", "decode:32:1", "decode:32:8", "decode:32:32", "decode:4096:1", "decode:4096:8"],
        };
        var tokens = new Option<int>("--tokens") { Description = "Tokens that each sequence decodes.", DefaultValueFactory = _ => 48 };
        var pairs = new Option<int>("--pairs") { Description = "Pairs of runs; medians are shown.", DefaultValueFactory = _ => 5 };
        var threads = new Option<int[]>("--thread-counts") { Description = "Threads of both sides.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [Environment.ProcessorCount] };
        var json = new Option<bool>("--json") { Description = "Print one JSON array." };
        var command = new Command("compare", "Measures this engine and llama.cpp in turns.") { model, llama, copies, types, scenarios, tokens, pairs, threads, json };
        SettingOptions.AddTo(command, Settings.OfEngine);
        command.SetAction(async (parsed, cancellation) =>
        {
            var wanted = parsed.GetValue(scenarios)!.Select(Read).ToArray();
            var (steps, repeats) = (parsed.GetValue(tokens), parsed.GetValue(pairs));
            if (steps < 4 || repeats < 1 || parsed.GetValue(threads)!.Any(count => count < 1)) throw new SettingException("--tokens must be at least 4, --pairs and --thread-counts at least 1.");
            var library = LlamaLibrary.Open(parsed.GetValue(llama)!);
            var results = new List<Compared>();
            foreach (var type in parsed.GetValue(types)!)
            {
                var path = Copy(library, parsed.GetValue(model)!, parsed.GetValue(copies)!, type);
                foreach (var count in parsed.GetValue(threads)!)
                {
                    var read = new SettingReader(SettingOptions.Values(parsed), Environment.GetEnvironmentVariable);
                    await using var served = ModelLoading.Load(new ServerOptions { Model = path, Engine = ServeCommand.EngineFrom(read) with { Threads = count } }, new());
                    using var bench = new CompareBench(library, served.Engine, path, count);
                    foreach (var scenario in wanted)
                    {
                        results.Add(await bench.RunAsync(scenario, steps, repeats, cancellation));
                        if (!parsed.GetValue(json)) Console.WriteLine(Line(results[^1]));
                    }
                }
            }
            if (parsed.GetValue(json)) Console.WriteLine(JsonSerializer.Serialize(results, BenchJson.Default.ListCompared));
            return 0;
        });
        return command;
    }

    static string Line(Compared row) =>
        $"{row.File,-40} {row.Threads} thread(s)  {row.What,-7} {row.Context,5} batch {row.Batch,2}  {row.Ours,8:F1} tokens/s, llama.cpp {row.Theirs,8:F1} ({row.Setting})  {row.Ratio:F2}x";

    static Scenario Read(string text)
    {
        var parts = text.Split(':');
        if (parts is ["prefill", var length] && int.TryParse(length, out var prompt) && prompt > 0) return new("prefill", prompt, 1);
        if (parts is ["decode", var context, var batch] && int.TryParse(context, out var tokens) && int.TryParse(batch, out var sequences) && tokens > 0 && sequences is > 0 and <= 512)
            return new("decode", tokens, sequences);
        throw new SettingException($"'{text}' is no scenario; write prefill:TOKENS or decode:CONTEXT:BATCH.");
    }

    static string Copy(LlamaLibrary library, string model, string folder, string type)
    {
        if (type == "file") return model;
        if (type is not ("bf16" or "q8_0" or "q4_0")) throw new SettingException($"--types knows file, bf16, q8_0 and q4_0, not '{type}'.");
        var path = Path.Combine(folder, $"{Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(model)))}-{type}.gguf");
        if (File.Exists(path)) return path;
        Directory.CreateDirectory(folder);
        library.Write(model, path, type);
        return path;
    }
}
