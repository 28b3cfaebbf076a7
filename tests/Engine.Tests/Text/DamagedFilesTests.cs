using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Serving.Text;

namespace Serving.Tests;

/// <summary>Tokenizer files are not trusted: whatever their bytes, they load or give an InvalidDataException.</summary>
public sealed class DamagedFilesTests
{
    [Fact]
    public void A_damaged_tokenizer_json_loads_or_is_refused()
    {
        var file = SmallTokenizer.ByteLevel();
        file["normalizer"] = SmallTokenizer.Parse("""{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Prepend","prepend":"_"},{"type":"Replace","pattern":{"String":" "},"content":"_"}]}""");
        file["pre_tokenizer"] = SmallTokenizer.Parse("""
            {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":" ?\\p{L}+|(?:\\d{2}|x)+"},"behavior":"Isolated","invert":false},{"type":"Digits","individual_digits":true},
            {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}
            """);
        file["post_processor"] = SmallTokenizer.Parse("""
            {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{"<s>":{"ids":[259]}}}
            """);
        Mutate(Encoding.UTF8.GetBytes(file.ToJsonString()), 1000, bytes => Tokenizer.FromJson(bytes));
    }

    [Fact]
    public void A_damaged_SentencePiece_model_loads_or_is_refused() =>
        Mutate(SmallModel(type: 2), 1000, bytes => Tokenizer.FromSentencePiece(bytes));

    static void Mutate(byte[] whole, int rounds, Func<byte[], Tokenizer> load)
    {
        var random = new Random(20);
        var (loaded, refused) = (0, 0);
        load(whole);
        for (var round = 0; round < rounds; round++)
        {
            var bytes = Damage(whole, random);
            try
            {
                var tokenizer = load(bytes);
                tokenizer.Decode(tokenizer.Encode("a b 12 <s> é🦙\0", addSpecial: true, parseSpecial: true), skipSpecial: false);
                loaded++;
            }
            catch (InvalidDataException error)
            {
                Assert.True(error.Message.Length > 20, error.Message);
                refused++;
            }
            catch (Exception error) when (error is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"round {round}: {error}");
            }
        }
        Assert.True(loaded > rounds / 100 && refused > rounds / 10, $"{loaded} loaded, {refused} refused");
    }

    static byte[] Damage(byte[] whole, Random random)
    {
        var bytes = (byte[])whole.Clone();
        if (random.Next(8) == 0)
            return bytes[..random.Next(bytes.Length)];
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            // Half of the damage falls outside the vocabulary, which is most of the file.
            var at = random.Next(2) == 0 ? random.Next(bytes.Length) : (bytes.Length + random.Next(-400, 400)) % bytes.Length;
            bytes[at] = random.Next(3) == 0 ? (byte)random.Next(256) : bytes[random.Next(bytes.Length)];
        }
        return bytes;
    }

    [Theory]
    [InlineData(1, 0, 0, "UNIGRAM")]
    [InlineData(4, 0, 0, "CHAR")]
    [InlineData(2, 1, 0, "remove_extra_whitespaces True")]
    [InlineData(2, 0, 5, "precompiled_charsmap")]
    public void A_model_of_another_kind_is_refused_by_name(int type, int removesSpaces, int table, string seen) =>
        Assert.Contains(seen, Assert.Throws<InvalidDataException>(() => Tokenizer.FromSentencePiece(SmallModel(type, removesSpaces, table))).Message);

    [Fact]
    public void A_model_cut_short_says_where()
    {
        var error = Assert.Throws<InvalidDataException>(() => Tokenizer.FromSentencePiece(SmallModel(2).AsSpan(..^3)));
        Assert.Contains("damaged: at byte", error.Message);
    }

    [Fact]
    public void Deep_nesting_is_refused()
    {
        var nested = string.Concat(Enumerable.Repeat("""{"type":"Sequence","normalizers":[""", 5000));
        Assert.Throws<InvalidDataException>(() => Tokenizer.FromJson(Encoding.UTF8.GetBytes($$"""{"normalizer":{{nested}}""")));
        var flat = string.Join(',', Enumerable.Repeat("""{"type":"Digits","individual_digits":true}""", 50_000));
        var file = SmallTokenizer.ByteLevel();
        file["pre_tokenizer"] = SmallTokenizer.Parse($$"""{"type":"Sequence","pretokenizers":[{{flat}}]}""");
        Assert.Contains("steps", Assert.Throws<InvalidDataException>(() => SmallTokenizer.Load(file)).Message);
    }

    /// <summary>The vocabulary of stories260K as SentencePiece's ModelProto.</summary>
    static byte[] SmallModel(int type, int removesSpaces = 0, int table = 0)
    {
        var file = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("tokenizers/stories260k.vocabulary.json"))).RootElement;
        var scores = file.GetProperty("scores").Deserialize<float[]>()!;
        var types = file.GetProperty("types").Deserialize<int[]>()!;
        var model = new List<byte>();
        foreach (var (token, id) in file.GetProperty("tokens").Deserialize<string[]>()!.Select((token, id) => (token, id)))
        {
            var score = new byte[4];
            BinaryPrimitives.WriteSingleLittleEndian(score, scores[id]);
            Message(model, 1, [.. Text(1, token), 2 << 3 | 5, .. score, 3 << 3, (byte)types[id]]);
        }
        Message(model, 2, [3 << 3, (byte)type]);
        Message(model, 3, [.. Text(1, "identity"), .. Text(2, new string('x', table)), 3 << 3, 1, 4 << 3, (byte)removesSpaces]);
        return [.. model];
    }

    static byte[] Text(int field, string text)
    {
        var bytes = new List<byte>();
        Message(bytes, field, Encoding.UTF8.GetBytes(text));
        return [.. bytes];
    }

    static void Message(List<byte> to, int field, byte[] content) => to.AddRange([(byte)(field << 3 | 2), (byte)content.Length, .. content]);
}
