using System.Text.Json;
using Serving.Model;
using Serving.Text;

namespace Serving.Tests;

/// <summary>GGUF vocabularies against the golden ids of the tokenizers they stand for.</summary>
public sealed class GgufTokenizerTests
{
    [Theory, InlineData("smollm2", "smollm"), InlineData("gpt2", "gpt-2"), InlineData("qwen3", "qwen2"), InlineData("deepseek_v3", "deepseek-v3")]
    public void Byte_level_vocabularies_give_the_ids_of_their_tokenizer_json(string name, string pre) =>
        GoldenTokenizerTests.Agree(Tokenizer.FromGguf(Convert(GoldenFile.Unpack($"{name}.tokenizer.json.gz"), pre)), GoldenFile.Load(name), parseSpecial: true);

    [Fact]
    public void A_SentencePiece_vocabulary_gives_the_ids_of_SentencePiece()
    {
        var file = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("tokenizers/stories260k.vocabulary.json"))).RootElement;
        var tokenizer = Tokenizer.FromGguf(new()
        {
            Model = "llama",
            Tokens = file.GetProperty("tokens").Deserialize<string[]>()!,
            Scores = file.GetProperty("scores").Deserialize<float[]>(),
            TokenTypes = file.GetProperty("types").Deserialize<int[]>(),
            BeginOfText = 1,
            EndOfText = 2,
            Unknown = 0,
        });
        GoldenTokenizerTests.Agree(tokenizer, GoldenFile.Load("stories260k"), parseSpecial: false);
    }

    [Fact]
    public void The_model_in_this_repository_has_the_tokenizer_it_was_published_with()
    {
        var folder = Path.Combine(Fixtures.Path("../../models"), "smollm2-135m-instruct-mfa");
        using var file = GgufFile.Open(Path.Combine(folder, "smollm2-135m-instruct-mfa-00001-of-00003.gguf"));
        var tokenizer = Tokenizer.FromGguf(new()
        {
            Model = file.Metadata.Text("tokenizer.ggml.model")!,
            Pre = file.Metadata.Text("tokenizer.ggml.pre"),
            Tokens = file.Metadata.Texts("tokenizer.ggml.tokens")!,
            TokenTypes = [.. file.Metadata.Ints("tokenizer.ggml.token_type")!.Select(type => (int)type)],
            Merges = file.Metadata.Texts("tokenizer.ggml.merges"),
            BeginOfText = (int?)file.Metadata.Int("tokenizer.ggml.bos_token_id"),
            AddBeginOfText = file.Metadata.Bool("tokenizer.ggml.add_bos_token"),
        });
        GoldenTokenizerTests.Agree(tokenizer, GoldenFile.Load("smollm2"), parseSpecial: true);
        Assert.Equal(1, tokenizer.BeginOfText);
    }

    [Fact]
    public void The_tokens_at_the_ends_are_added_as_the_file_says()
    {
        var ids = Tokenizer.FromGguf(Small with { BeginOfText = 3, EndOfText = 4, AddBeginOfText = true, AddEndOfText = true }).Encode("ab", true, false);
        Assert.Equal([3, 2, 4], ids);
        Assert.Equal([2], Tokenizer.FromGguf(Small with { BeginOfText = 3, AddBeginOfText = false }).Encode("ab", true, false));
        Assert.Equal([3, 2], Tokenizer.FromGguf(Small with { Pre = "llama-bpe", BeginOfText = 3 }).Encode("ab", true, false));
    }

    [Fact]
    public void Without_byte_tokens_a_run_of_unknown_characters_is_one_token()
    {
        var tokenizer = Tokenizer.FromGguf(new()
        {
            Model = "llama", Tokens = ["<unk>", "a", "▁"], TokenTypes = [2, 1, 1], Scores = [0, -1, -2], Unknown = 0, AddBeginOfText = false,
        });
        for (var again = 0; again < 2; again++)
            Assert.Equal([2, 0, 2, 1, 0, 1, 2, 0], tokenizer.Encode("xyz aüa x", true, false));
        Assert.Equal(" \u2047 a", tokenizer.Decode([2, 0, 1], skipSpecial: false));
    }

    [Theory, MemberData(nameof(Damaged))]
    public void Damage_is_named(string seen, GgufVocabulary vocabulary) =>
        Assert.Contains(seen, Assert.Throws<InvalidDataException>(() => Tokenizer.FromGguf(vocabulary)).Message);

    public static TheoryData<string, GgufVocabulary> Damaged => new()
    {
        { "'t5'", Small with { Model = "t5" } },
        { "'gpt-9'; known pre-tokenizers are codeshell, ", Small with { Pre = "gpt-9" } },
        { "pre is absent", Small with { Pre = null } },
        { "no tokenizer.ggml.merges", Small with { Merges = null } },
        { "Merge 1 names 'x'", Small with { Tokens = ["a", "b", "ab", "ax", "</s>"], Merges = ["a b", "a x"] } },
        { "Merge 0 names 'ba'", Small with { Merges = ["b a"] } },
        { "Merge 0 is 'ab'", Small with { Merges = ["ab"] } },
        { "as an earlier merge does", Small with { Merges = ["a b", "a b"] } },
        { "'a' has two ids, 0 and 1", Small with { Tokens = ["a", "a", "ab", "<s>", "</s>"] } },
        { "token_type has 1 entries for 5", Small with { TokenTypes = [1] } },
        { "token_type 9", Small with { TokenTypes = [1, 1, 9, 3, 3] } },
        { "bos_token_id is 77", Small with { BeginOfText = 77 } },
        { "add_bos_token asks", Small with { AddBeginOfText = true } },
        { "no tokenizer.ggml.scores", Small with { Model = "llama" } },
        { "neither a token for each byte", Small with { Model = "llama", Scores = [0, 0, 0, 0, 0] } },
        { "not a number", Small with { Model = "llama", Scores = [0, float.NaN, 0, 0, 0] } },
    };

    static GgufVocabulary Small => new()
    {
        Model = "gpt2",
        Pre = "gpt-2",
        Tokens = ["a", "b", "ab", "<s>", "</s>"],
        TokenTypes = [1, 1, 1, 3, 3],
        Merges = ["a b"],
    };

    static GgufVocabulary Convert(byte[] json, string pre)
    {
        var root = JsonDocument.Parse(json).RootElement;
        var vocabulary = root.GetProperty("model").GetProperty("vocab").EnumerateObject().ToDictionary(t => t.Value.GetInt32(), t => t.Name);
        var types = vocabulary.Keys.ToDictionary(id => id, _ => 1);
        foreach (var added in root.GetProperty("added_tokens").EnumerateArray())
        {
            vocabulary[added.GetProperty("id").GetInt32()] = added.GetProperty("content").GetString()!;
            types[added.GetProperty("id").GetInt32()] = added.GetProperty("special").GetBoolean() ? 3 : 4;
        }
        var ids = Enumerable.Range(0, vocabulary.Keys.Max() + 1).ToList();
        return new()
        {
            Model = "gpt2",
            Pre = pre,
            Tokens = [.. ids.Select(id => vocabulary.GetValueOrDefault(id, $"[PAD{id}]"))],
            TokenTypes = [.. ids.Select(id => types.GetValueOrDefault(id, 5))],
            Merges = [.. root.GetProperty("model").GetProperty("merges").EnumerateArray().Select(merge =>
                merge.ValueKind == JsonValueKind.String ? merge.GetString()! : $"{merge[0].GetString()} {merge[1].GetString()}")],
        };
    }
}
