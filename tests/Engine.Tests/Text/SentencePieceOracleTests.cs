using System.Diagnostics;
using System.Text;
using Serving.Text;

namespace Serving.Tests;

/// <summary>SentencePiece's own program on lines of text and of random characters, where Debian's package sentencepiece is installed.</summary>
public sealed class SentencePieceOracleTests
{
    const int Seed = 21;

    [Theory, InlineData("mistral_v1"), InlineData("mistral_v3"), InlineData("llama2_spm")]
    public void Ids_are_those_of_spm_encode(string name)
    {
        var path = Model(name);
        var tokenizer = Tokenizer.FromSentencePiece(File.ReadAllBytes(path));
        string[] lines =
        [
            .. File.ReadAllLines(Fixtures.Path("text/wikitext-2-valid.head.txt")), .. GoldenFile.Load("mistral_v3").Cases.Select(test => Line(test.Text)),
            .. RandomLines(Fixtures.Rounds(1000)),
        ];
        var answers = Ask(path, lines);
        if (answers is null) Assert.Skip("spm_encode is not installed (on Debian: apt-get install sentencepiece).");
        Assert.Equal(lines.Length, answers.Length);
        GoldenFile.Equal(lines.Zip(answers).Select((pair, i) =>
            ($"{i} {GoldenFile.Show(pair.First)} (seed {Seed})", pair.Second, string.Join(' ', tokenizer.Encode(pair.First, addSpecial: false, parseSpecial: false)))));
    }

    static string Model(string name)
    {
        var own = Fixtures.Path($"tokenizers/{name}.model");
        if (File.Exists(own)) return own;
        var shared = Path.Combine(Environment.GetEnvironmentVariable("SERVING_SHARED") ?? Path.GetFullPath(Fixtures.InRepository("../shared")), "data", "tokenizers", name, "tokenizer.model");
        if (!File.Exists(shared)) Assert.Skip($"There is no {shared}; SERVING_SHARED may name the folder above data/tokenizers.");
        return shared;
    }

    // The program reads lines, and ends them at either character.
    static string Line(string text) => text.Replace('\n', ' ').Replace('\r', ' ').Replace('\0', ' ');

    static IEnumerable<string> RandomLines(int count)
    {
        var random = new Random(Seed);
        for (var round = 0; round < count; round++)
        {
            var text = new StringBuilder();
            for (var length = random.Next(1, 40); length > 0; length--)
                text.Append(random.Next(5) switch
                {
                    0 => " ",
                    1 => ((char)random.Next(0x20, 0x7f)).ToString(),
                    2 => new Rune(random.Next(0x80, 0xd800)).ToString(),
                    3 => new Rune(random.Next(0xe000, 0x20000)).ToString(),
                    _ => ((string[])["the", "ing", "ation", "  ", "\u2581", "\t", "é", "e\u0301"])[random.Next(8)],
                });
            yield return Line(text.ToString());
        }
    }

    static string[]? Ask(string model, string[] lines)
    {
        using var folder = new TemporaryFolder();
        var input = folder.Write("lines.txt", string.Join('\n', lines) + "\n");
        try
        {
            using var program = Process.Start(new ProcessStartInfo("spm_encode", [$"--model={model}", "--output_format=id", $"--input={input}"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var errors = program.StandardError.ReadToEndAsync();
            var answers = program.StandardOutput.ReadToEnd();
            program.WaitForExit();
            Assert.True(program.ExitCode == 0, errors.Result);
            return answers.TrimEnd('\n').Split('\n');
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
