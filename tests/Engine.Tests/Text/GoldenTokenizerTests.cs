using Serving.Text;

namespace Serving.Tests;

/// <summary>Ids, texts and pieces against the libraries that published the tokenizers.</summary>
public sealed class GoldenTokenizerTests
{
    public static TheoryData<string> Json => ["smollm2", "gpt2", "qwen3", "deepseek_v3"];

    [Theory, MemberData(nameof(Json))]
    public void Json_tokenizers_agree_with_the_publishing_library(string name) =>
        Agree(GoldenFile.LoadJson(name), GoldenFile.Load(name), parseSpecial: true);

    [Theory, InlineData("mistral_v1"), InlineData("mistral_v3")]
    public void SentencePiece_models_agree_with_the_publishing_library(string name) =>
        Agree(Tokenizer.FromSentencePiece(File.ReadAllBytes(Fixtures.Path($"tokenizers/{name}.model"))), GoldenFile.Load(name), parseSpecial: false);

    internal static void Agree(Tokenizer tokenizer, GoldenFile golden, bool parseSpecial)
    {
        var cases = golden.Cases.Select((c, i) => (Case: c, Name: $"{i} {c.G} {GoldenFile.Show(c.Text)}")).ToList();
        GoldenFile.Equal(cases.Select(c => (c.Name, GoldenFile.Show(c.Case.Ids), GoldenFile.Show(tokenizer.Encode(c.Case.Text, false, parseSpecial)))));
        GoldenFile.Equal(cases.Select(c => (c.Name, GoldenFile.Show(c.Case.IdsSpecial), GoldenFile.Show(tokenizer.Encode(c.Case.Text, true, parseSpecial)))));
        GoldenFile.Equal(cases.Select(c => (c.Name, GoldenFile.Show(c.Case.Decoded), GoldenFile.Show(tokenizer.Decode(c.Case.Ids, skipSpecial: false)))));
        GoldenFile.Equal(golden.Stream.Select((s, i) => ($"stream {i} {GoldenFile.Show(s.Text)}", Pieces(s.Pieces, s.Flush), Stream(tokenizer, s.Ids))));
    }

    static string Stream(Tokenizer tokenizer, int[] ids)
    {
        var stream = new TextStream(tokenizer, skipSpecial: false);
        return Pieces([.. ids.Select(stream.Push)], stream.Flush());
    }

    static string Pieces(string[] pieces, string flush) => string.Join('|', [.. pieces.Select(GoldenFile.Show), GoldenFile.Show(flush)]);
}
