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
        var types = new Option<string[]>("--types") { Description = "The file itself (file), its copies (bf16, q8_0, q4_0), and a DeepSeek-shaped model of random bfloat16 weights (latent).", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => ["file", "bf16", "q8_0", "q4_0"] };
        var scenarios = new Option<string[]>("--scenarios")
        {
            Description = "What is measured: prefill:TOKENS or decode:CONTEXT:BATCH.", AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => ["prefill:512", "decode:32:1", "decode:32:8", "decode:32:32", "decode:4096:1", "decode:4096:8"],
        };
        var tokens = new Option<int>("--tokens") { Description = "Tokens that each sequence decodes.", DefaultValueFactory = _ => 48 };
        var pairs = new Option<int>("--pairs") { Description = "Pairs of runs; medians are shown.", DefaultValueFactory = _ => 5 };
        var threads = new Option<int[]>("--thread-counts") { Description = "Threads of both sides.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [Environment.ProcessorCount] };
        var settings = new Option<string[]>("--llama-settings")
        {
            Description = "Cache types and flash attention of llama.cpp that are tried, its best being shown; a long prompt over latents takes it minutes with each.",
            AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [.. LlamaSetting.All.Select(setting => setting.Name)],
        };
        var (json, plot) = (new Option<bool>("--json") { Description = "Print one JSON array." }, BarPicture.Option());
        var command = new Command("compare", "Measures this engine and llama.cpp in turns.") { model, llama, copies, types, scenarios, tokens, pairs, threads, settings, json, plot };
        SettingOptions.AddTo(command, Settings.OfEngine);
        command.SetAction(async (parsed, cancellation) =>
        {
            var wanted = parsed.GetValue(scenarios)!.Select(Read).ToArray();
            var (steps, repeats) = (parsed.GetValue(tokens), parsed.GetValue(pairs));
            if (steps < 4 || repeats < 1 || parsed.GetValue(threads)!.Any(count => count < 1)) throw new SettingException("--tokens must be at least 4, --pairs and --thread-counts at least 1.");
            var tried = parsed.GetValue(settings)!.Select(Setting).ToArray();
            var library = LlamaLibrary.Open(parsed.GetValue(llama)!);
            var results = new List<Compared>();
            foreach (var type in parsed.GetValue(types)!)
            {
                var path = Copy(library, parsed.GetValue(model)!, parsed.GetValue(copies)!, type);
                foreach (var count in parsed.GetValue(threads)!)
                {
                    await using var served = Load(parsed, path, count);
                    using var bench = Open(library, served, path, count, tried);
                    foreach (var scenario in wanted)
                    {
                        results.Add(await bench.RunAsync(scenario, steps, repeats, cancellation));
                        if (!parsed.GetValue(json)) Console.WriteLine(Line(results[^1]));
                    }
                }
            }
            if (parsed.GetValue(json)) Console.WriteLine(JsonSerializer.Serialize(results, BenchJson.Default.ListCompared));
            if (parsed.GetValue(plot) is { } picture) BarPicture.Write(picture, BenchPictures.Of(results));
            return 0;
        });
        return command;
    }

    static ServedModel Load(ParseResult parsed, string path, int threads)
    {
        var read = new SettingReader(SettingOptions.Values(parsed), Environment.GetEnvironmentVariable);
        return ModelLoading.Load(new ServerOptions { Model = path, Engine = ServeCommand.EngineFrom(read) with { Threads = threads } }, new());
    }

    static CompareBench Open(LlamaLibrary library, ServedModel served, string path, int threads, LlamaSetting[] tried)
    {
        try
        {
            return new(library, served.Engine, path, threads, tried);
        }
        catch (InvalidOperationException error)
        {
            throw new SettingException(error.Message);
        }
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

    static LlamaSetting Setting(string name) => LlamaSetting.All.FirstOrDefault(setting => setting.Name == name)
        ?? throw new SettingException($"--llama-settings knows {string.Join(", ", LlamaSetting.All.Select(setting => setting.Name))}, not '{name}'.");

    static string Copy(LlamaLibrary library, string model, string folder, string type)
    {
        if (type == "file") return model;
        if (type is not ("bf16" or "q8_0" or "q4_0" or "latent")) throw new SettingException($"--types knows file, bf16, q8_0, q4_0 and latent, not '{type}'.");
        var path = Path.Combine(folder, type == "latent" ? "latent-bf16.gguf" : $"{Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(model)))}-{type}.gguf");
        if (File.Exists(path)) return path;
        Directory.CreateDirectory(folder);
        // What is cut off halfway must not be taken for a copy.
        var half = path + ".part";
        if (type == "latent") RandomModelFile.WriteLatent(half);
        else library.Write(model, half, type);
        File.Move(half, path);
        return path;
    }
}
