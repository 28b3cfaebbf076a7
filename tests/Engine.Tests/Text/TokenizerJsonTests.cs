using System.Text;
using System.Text.Json.Nodes;
using Serving.Text;

namespace Serving.Tests;

/// <summary>The parts of tokenizer.json that the published fixtures leave out, and what is refused.</summary>
public sealed class TokenizerJsonTests
{
    [Fact]
    public void Merges_may_be_strings_or_pairs() =>
        Assert.Equal("abc|Ġa|<s>|b|ab", SmallTokenizer.Cut(SmallTokenizer.Load(SmallTokenizer.ByteLevel()), "abc a<s>bab"));

    [Theory]
    [InlineData("Isolated", false, "a|-|-|ab|-")]
    [InlineData("Removed", false, "a|ab")]
    [InlineData("Contiguous", false, "a|--|ab|-")]
    [InlineData("MergedWithPrevious", false, "a-|-|ab-")]
    [InlineData("MergedWithNext", false, "a|-|-ab|-")]
    [InlineData("Removed", true, "-|-|-")]
    public void Every_split_behaviour_cuts_as_published(string behavior, bool invert, string expected)
    {
        var file = SmallTokenizer.ByteLevel();
        foreach (var piece in expected.Split('|').Distinct().Where(p => p.Length > 1 && p != "ab"))
            AddWord(file, piece);
        file["model"]!["ignore_merges"] = true;
        file["pre_tokenizer"] = SmallTokenizer.Parse($$"""
            {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":"-"},"behavior":"{{behavior}}","invert":{{(invert ? "true" : "false")}}},
            {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}
            """);
        Assert.Equal(expected, SmallTokenizer.Cut(SmallTokenizer.Load(file), "a--ab-"));
    }

    static void AddWord(JsonObject file, string word)
    {
        var vocabulary = (JsonObject)file["model"]!["vocab"]!;
        vocabulary[word] = 300 + vocabulary.Count;
    }

    [Fact]
    public void Expressions_see_characters_above_the_basic_plane_as_letters()
    {
        var file = SmallTokenizer.ByteLevel();
        file["pre_tokenizer"] = SmallTokenizer.Parse("""
            {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{L}+|[^\\p{L}]"},"behavior":"Removed","invert":false},
            {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}
            """);
        Assert.Empty(SmallTokenizer.Load(file).Encode("a𝒳b😀c\uE000", false, false));
        file["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"]!["Regex"] = "[𐐀-𐑏x]+";
        var tokenizer = SmallTokenizer.Load(file);
        Assert.Equal("a𝒳b", tokenizer.Decode(tokenizer.Encode("a𐐂x𐑏𝒳bx", false, false), false));
    }

    [Fact]
    public void Added_tokens_obey_their_flags()
    {
        var file = SmallTokenizer.ByteLevel();
        file["added_tokens"] = new JsonArray(
            SmallTokenizer.Added(260, "<l>", ""","lstrip":true"""), SmallTokenizer.Added(261, "<r>", ""","rstrip":true"""),
            SmallTokenizer.Added(262, "ab", ""","single_word":true"""), SmallTokenizer.Added(263, "<l><l>"));
        file["model"]!["vocab"]!.AsObject().Remove("ab");
        file["model"]!["vocab"]!.AsObject().Remove("abc");
        file["model"]!["merges"] = new JsonArray("Ġ a");
        var tokenizer = SmallTokenizer.Load(file);
        Assert.Equal("b|<l>|Ġ|b", SmallTokenizer.Cut(tokenizer, "b  <l> b"));
        Assert.Equal("b|Ġ|<r>|b", SmallTokenizer.Cut(tokenizer, "b <r> \nb"));
        Assert.Equal("ab|Ġ|ab|!|a|b|a", SmallTokenizer.Cut(tokenizer, "ab ab!aba"));
        Assert.Equal("<l><l>|<l>", SmallTokenizer.Cut(tokenizer, "<l><l><l>"));
    }

    [Fact]
    public void A_template_puts_its_tokens_around_a_text()
    {
        var file = SmallTokenizer.ByteLevel();
        file["post_processor"] = SmallTokenizer.Parse("""
            {"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing",
            "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<s>","type_id":0}}],
            "pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[259],"tokens":["<s>"]}}}]}
            """);
        Assert.Equal([259, 256, 259], SmallTokenizer.Load(file).Encode("ab", addSpecial: true, parseSpecial: false));
        Assert.Equal([256], SmallTokenizer.Load(file).Encode("ab", addSpecial: false, parseSpecial: false));
    }

    [Fact]
    public void A_configuration_names_the_tokens_at_the_ends()
    {
        var tokenizer = Tokenizer.FromJson(Encoding.UTF8.GetBytes(SmallTokenizer.ByteLevel().ToJsonString()),
            """{"bos_token":{"content":"<s>"},"eos_token":"ab","pad_token":null,"add_bos_token":true}"""u8);
        Assert.Equal((259, 256, null), (tokenizer.BeginOfText, tokenizer.EndOfText, tokenizer.Padding));
        Assert.Empty(tokenizer.Prefix.ToArray());
    }

    [Theory]
    [InlineData("""{"type":"NFKC"}""", "normalizer", "'NFKC'")]
    [InlineData("""{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"}]}""", "normalizer", "normalizer[1] is of type 'Lowercase'")]
    [InlineData("""{"type":"Replace","pattern":{"Regex":"a"},"content":"b"}""", "normalizer", "'Replace'")]
    [InlineData("""{"type":"UnicodeScripts"}""", "pre_tokenizer", "'UnicodeScripts'")]
    [InlineData("""{"type":"Split","pattern":{"Regex":"\\p{Han}+"},"behavior":"Isolated","invert":false}""", "pre_tokenizer", "Han")]
    [InlineData("""{"type":"Split","pattern":{"Regex":"a++"},"behavior":"Isolated","invert":false}""", "pre_tokenizer", "a++")]
    [InlineData("""{"type":"Split","pattern":{"Regex":"[a&&b]"},"behavior":"Isolated","invert":false}""", "pre_tokenizer", "&&")]
    [InlineData("""{"type":"Split","pattern":{"Regex":"a"},"behavior":"Odd","invert":false}""", "pre_tokenizer", "'Odd'")]
    [InlineData("""{"type":"RobertaProcessing","sep":["a",1],"cls":["b",2]}""", "post_processor", "'RobertaProcessing'")]
    [InlineData("""{"type":"WordPiece"}""", "decoder", "'WordPiece'")]
    [InlineData("null", "decoder", "decoder")]
    [InlineData("7", "surprise", "'surprise'")]
    [InlineData("""[{"id":0,"content":"<s>"}]""", "added_tokens", "belongs to two tokens")]
    [InlineData("""[{"id":9,"content":"ab"}]""", "added_tokens", "'ab' has id 9, while the vocabulary gives it 256")]
    [InlineData("""[{"id":2000000000,"content":"<s>"}]""", "added_tokens", "2000000000")]
    [InlineData("""[{"id":4000000,"content":"<s>"}]""", "added_tokens", "highest token id is 4000000")]
    public void What_is_not_understood_is_refused_by_name(string section, string name, string seen)
    {
        var file = SmallTokenizer.ByteLevel();
        file[name] = JsonNode.Parse(section);
        Assert.Contains(seen, Assert.Throws<InvalidDataException>(() => SmallTokenizer.Load(file)).Message);
    }

    [Theory]
    [InlineData("type", "\"Unigram\"", "Unigram")]
    [InlineData("dropout", "0.1", "dropout")]
    [InlineData("end_of_word_suffix", "\"</w>\"", "end_of_word_suffix")]
    [InlineData("unk_token", "\"<none>\"", "'<none>'")]
    [InlineData("merges", "[\"a x y\"]", "Merge 0")]
    [InlineData("merges", "[\"a b\",\"a zz\"]", "Merge 1")]
    [InlineData("merges", "[[\"a\"]]", "merges")]
    [InlineData("merges", "null", "merges")]
    [InlineData("vocab", "{\"a\":-1}", "-1")]
    [InlineData("vocab", "{\"a\":0,\"b\":0}", "two tokens, 'a' and 'b'")]
    [InlineData("vocab", "{\"a\":1.5}", "whole number")]
    public void A_model_that_is_not_plain_BPE_is_refused_by_name(string name, string value, string seen)
    {
        var file = SmallTokenizer.ByteLevel();
        file["model"]![name] = JsonNode.Parse(value);
        Assert.Contains(seen, Assert.Throws<InvalidDataException>(() => SmallTokenizer.Load(file)).Message);
    }

    [Fact]
    public void A_SentencePiece_vocabulary_written_as_tokenizer_json_gives_the_same_ids()
    {
        var pieces = Tokenizer.FromSentencePiece(File.ReadAllBytes(Fixtures.Path("tokenizers/mistral_v1.model")));
        var tokenizer = SmallTokenizer.Load(AsJson(pieces));
        var golden = GoldenFile.Load("mistral_v1");
        GoldenFile.Equal(golden.Cases.Select(c => (GoldenFile.Show(c.Text), GoldenFile.Show(c.Ids), GoldenFile.Show(tokenizer.Encode(c.Text, false, false)))));
        GoldenFile.Equal(golden.Cases.Select(c => (GoldenFile.Show(c.Text), GoldenFile.Show(c.Decoded), GoldenFile.Show(tokenizer.Decode(c.Ids, false)))));
    }

    /// <summary>As the converter of the publishing library writes it: all ways to join two pieces into a third, best pieces first.</summary>
    static JsonObject AsJson(Tokenizer pieces)
    {
        var ids = Enumerable.Range(0, pieces.VocabularySize).ToList();
        var words = ids.Where(id => pieces.Kind(id) == TokenKind.Normal).ToDictionary(pieces.Token);
        // Pieces have their scores in the order of their ids, but for those of spaces alone, whose score is the lowest.
        var merges = words.OrderBy(word => word.Key.All(unit => unit == '▁')).ThenBy(word => word.Value).SelectMany(word => Enumerable.Range(1, word.Key.Length - 1)
            .Select(at => (Left: word.Key[..at], Right: word.Key[at..])).Where(m => words.ContainsKey(m.Left) && words.ContainsKey(m.Right))
            .OrderBy(m => words[m.Left]).ThenBy(m => words[m.Right]));
        return new()
        {
            ["added_tokens"] = new JsonArray(SmallTokenizer.Added(0, "<unk>"), SmallTokenizer.Added(1, "<s>"), SmallTokenizer.Added(2, "</s>")),
            ["normalizer"] = SmallTokenizer.Parse("""{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}"""),
            ["decoder"] = SmallTokenizer.Parse("""
                {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},
                {"type":"Strip","content":" ","start":1,"stop":0}]}
                """),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "<unk>",
                ["fuse_unk"] = true,
                ["byte_fallback"] = true,
                ["vocab"] = new JsonObject(ids.Select(id => KeyValuePair.Create(pieces.Token(id), (JsonNode?)id))),
                ["merges"] = new JsonArray([.. merges.Select(m => new JsonArray(m.Left, m.Right))]),
            },
        };
    }
}
