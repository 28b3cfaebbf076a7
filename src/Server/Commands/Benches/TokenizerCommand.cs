using System.CommandLine;
using System.Text.Json;
using Serving.Model;
using Serving.Server.Bench;
using Serving.Text;

namespace Serving.Server.Commands;

/// <summary>bench tokenizer: how fast tokenizers encode texts on one core.</summary>
static class TokenizerCommand
{
    const int WordBytes = 1 << 20;

    public static Command Create()
    {
        var models = new Argument<string[]>("models") { Description = "Checkpoints, tokenizer.json or tokenizer.model files.", Arity = ArgumentArity.ZeroOrMore };
        var texts = new Option<string[]>("--texts") { Description = "Text files to encode; beside them a single word of a megabyte.", AllowMultipleArgumentsPerToken = true, HelpName = "file" };
        var repeats = new Option<int>("--repeats") { Description = "Repeats; medians are shown.", DefaultValueFactory = _ => 5 };
        var json = new Option<bool>("--json") { Description = "Print one JSON array." };
        var command = new Command("tokenizer", "Measures the encoding of texts on one core, at a quarter of their length and at all of it.") { models, texts, repeats, json };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(repeats) < 1) throw new SettingException("--repeats must be at least 1.");
            string[] paths = parsed.GetValue(models) is { Length: > 0 } named ? named : [ModelLoading.DefaultModel() ?? throw new SettingException("Name a model.")];
            var results = new List<Encoded>();
            foreach (var path in paths)
                foreach (var (name, text) in Texts(parsed.GetValue(texts) ?? []))
                {
                    results.Add(TokenizerBench.Measure(Path.GetFileName(Path.TrimEndingDirectorySeparator(path)), () => Load(path), name, text, parsed.GetValue(repeats)));
                    if (!parsed.GetValue(json)) Console.WriteLine(Line(results[^1]));
                }
            if (parsed.GetValue(json)) Console.WriteLine(JsonSerializer.Serialize(results, BenchJson.Default.ListEncoded));
            return 0;
        });
        return command;
    }

    static IEnumerable<(string Name, string Text)> Texts(string[] files) =>
        [.. files.Select(file => (Path.GetFileName(file), File.ReadAllText(file))), ("one word", TokenizerBench.Word(WordBytes))];

    static Tokenizer Load(string path)
    {
        switch (Path.GetExtension(path))
        {
            case ".json": return Tokenizer.FromJson(File.ReadAllBytes(path));
            case ".model": return Tokenizer.FromSentencePiece(File.ReadAllBytes(path));
        }
        using var checkpoint = Checkpoint.Open(path);
        return CheckpointTokenizer.Load(checkpoint) ?? throw new SettingException($"{path} has no tokenizer.");
    }

    static string Line(Encoded result) =>
        $"{result.Tokenizer,-28} {result.Text,-28} {result.Bytes,9:N0} bytes {result.Tokens,8:N0} tokens  {result.MegabytesPerSecond,6:F2} MB/s"
        + $"  ({result.QuarterMegabytesPerSecond:F2} for a quarter of it)";
}
