using System.IO.Compression;
using System.Text.Json;
using Serving.Grammar;
using Serving.Server.OpenAi;
using Serving.Text.Templates;

namespace Serving.Tests;

/// <summary>Every format of tool calls: recorded outputs through the path that streams take, and calls drawn under its grammar.</summary>
public sealed class ToolFormatTests
{
    public static TheoryData<int> Recorded() => [.. Enumerable.Range(0, RecordedCalls.All.Length)];

    [Fact]
    public void Every_format_has_recorded_calls() =>
        Assert.Equal(ToolFormats.All.Select(format => format.Name).Order(), RecordedCalls.All.Where(r => r.Calls.Length > 0).Select(r => r.Format).Distinct().Order());

    [Theory, MemberData(nameof(Recorded))]
    public void An_output_is_split_alike_wherever_it_is_cut(int number)
    {
        var recorded = RecordedCalls.All[number];
        var whole = Read(recorded.Format, [recorded.Output]);
        Assert.Equal(recorded.Content, Text(whole, PartKind.Content));
        Assert.Equal(recorded.Calls.Select(call => call.Name), whole.Where(part => part.Kind == PartKind.Call).Select(part => part.Text));
        Assert.Equal(recorded.Calls.Select(call => call.Arguments), Enumerable.Range(0, recorded.Calls.Length).Select(i => Arguments(whole, i)));
        for (var cut = 1; cut < recorded.Output.Length; cut++)
            Same(whole, Read(recorded.Format, [recorded.Output[..cut], recorded.Output[cut..]]), $"cut at {cut}");
        Same(whole, Read(recorded.Format, recorded.Output.Select(c => c.ToString())), "cut everywhere");
    }

    [Theory, MemberData(nameof(Recorded))]
    public void An_output_that_breaks_off_shows_no_call_twice_and_loses_no_text(int number)
    {
        var recorded = RecordedCalls.All[number];
        for (var length = 0; length < recorded.Output.Length; length++)
        {
            var parts = Read(recorded.Format, recorded.Output[..length].Select(c => c.ToString()));
            var calls = parts.Count(part => part.Kind == PartKind.Call);
            Assert.InRange(calls, 0, recorded.Calls.Length);
            for (var i = 0; i < calls; i++)
                if (!recorded.Format.StartsWith("glm", StringComparison.Ordinal) && !recorded.Format.StartsWith("qwen", StringComparison.Ordinal))
                    Assert.StartsWith(Arguments(parts, i), recorded.Calls[i].Arguments);
            if (calls == 0)
                Assert.Equal(recorded.Output[..length], Text(parts, PartKind.Content));
        }
    }

    [Fact]
    public void Without_parallel_calls_the_first_is_the_last()
    {
        foreach (var recorded in RecordedCalls.All.Where(r => r.Calls.Length > 1))
        {
            var parts = Read(recorded.Format, recorded.Output.Select(c => c.ToString()), parallel: false);
            Assert.Equal(recorded.Calls[0].Name, Assert.Single(parts, part => part.Kind == PartKind.Call).Text);
            Assert.Equal(recorded.Content, Text(parts, PartKind.Content));
        }
    }

    [Fact]
    public void Calls_drawn_under_a_formats_grammar_are_read_back_and_valid()
    {
        var compiler = new GrammarCompiler(TinyText.Tokenizer, TinyText.Vocabulary, [TinyText.EndOfTurn]);
        var seed = Random.Shared.Next();
        foreach (var format in ToolFormats.All)
        {
            var grammar = compiler.Compile(new ToolGrammar(format).Calls(RecordedCalls.Tools, several: true));
            for (var draw = 0; draw < 12; draw++)
            {
                var text = Draw(grammar, grammar.FewestTokens + 60 * draw, new Random(seed + draw));
                var parts = Read(format.Name, [text]);
                var calls = parts.Count(part => part.Kind == PartKind.Call);
                Assert.True(calls > 0 && Text(parts, PartKind.Content).Trim().Length == 0, $"{format.Name}, seed {seed + draw}: {text}");
                for (var i = 0; i < calls; i++)
                    Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(Arguments(parts, i)).RootElement.ValueKind);
            }
        }
    }

    [Theory]
    [InlineData("Qwen-Qwen2.5-7B-Instruct", "hermes")]
    [InlineData("NousResearch-Hermes-3-Llama-3.1-8B-tool_use", "hermes")]
    [InlineData("Qwen3-Coder", "qwen-coder")]
    [InlineData("meta-llama-Llama-3.2-3B-Instruct", "llama3")]
    [InlineData("mistralai-Mistral-Nemo-Instruct-2407", "mistral")]
    [InlineData("Mistral-Small-3.2-24B-Instruct-2506", "mistral-named")]
    [InlineData("unsloth-mistral-Devstral-Small-2507", "mistral-named")]
    [InlineData("deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "deepseek-v3")]
    [InlineData("deepseek-ai-DeepSeek-V3.1", "deepseek-v3.1")]
    [InlineData("GLM-4.7-Flash", "glm")]
    [InlineData("Kimi-K2-Instruct", "kimi")]
    [InlineData("microsoft-Phi-3.5-mini-instruct", "smollm")]
    [InlineData("ibm-granite-granite-3.3-2B-Instruct", "json")]
    public void The_format_follows_from_the_chat_template(string template, string format)
    {
        using var file = new StreamReader(new GZipStream(File.OpenRead(ModelFixtures.PathOf($"templates/{template}.jinja.gz")), CompressionMode.Decompress));
        Assert.Equal(format, ToolFormats.Of(ChatTemplate.Parse(file.ReadToEnd())).Name);
    }

    static List<AnswerPart> Read(string format, IEnumerable<string> pieces, bool parallel = true)
    {
        var reader = new AnswerReader(null, new(RecordedCalls.FormatOf(format), RecordedCalls.Tools, parallel));
        var parts = new List<AnswerPart>();
        foreach (var piece in pieces.Select(text => new TextPiece(text, [])))
            parts.AddRange(reader.Push(new(0, 0) { Piece = piece }));
        parts.AddRange(reader.Push(new(0, 0) { Piece = new("", []), FinishReason = "stop" }));
        return parts;
    }

    static void Same(List<AnswerPart> expected, List<AnswerPart> actual, string where)
    {
        foreach (var kind in Enum.GetValues<PartKind>())
            Assert.True(Text(expected, kind) == Text(actual, kind), $"{where}: {kind} '{Text(actual, kind)}' instead of '{Text(expected, kind)}'");
        for (var i = 0; i < expected.Count(part => part.Kind == PartKind.Call); i++)
            Assert.Equal(Arguments(expected, i), Arguments(actual, i));
    }

    static string Text(List<AnswerPart> parts, PartKind kind) => string.Concat(parts.Where(part => part.Kind == kind).Select(part => part.Text));

    static string Arguments(List<AnswerPart> parts, int call) =>
        string.Concat(parts.Where(part => part.Kind == PartKind.Arguments && part.Call == call).Select(part => part.Text));

    static string Draw(CompiledGrammar grammar, int room, Random random)
    {
        var constraint = grammar.Begin(room);
        var ids = new List<int>();
        var mask = new ulong[(TinyText.Vocabulary + 63) / 64];
        while (!constraint.Ended && ids.Count < room)
        {
            Array.Clear(mask);
            constraint.Allow(mask);
            var allowed = Enumerable.Range(0, TinyText.Vocabulary).Where(id => (mask[id / 64] >> (id % 64) & 1) != 0).ToArray();
            ids.Add(allowed[random.Next(allowed.Length)]);
            Assert.True(constraint.Accept(ids[^1]));
        }
        return TinyText.Tokenizer.Decode([.. ids], skipSpecial: true);
    }
}
