using System.Text;
using Serving.Text;

namespace Serving.Tests;

/// <summary>Scanners against the expressions they stand for, and expressions against what they are known to cut.</summary>
public sealed class SplitterTests
{
    const string English = "'s|'t|'re|'ve|'m|'ll|'d";
    const string DeepSeek = @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public static TheoryData<string> Patterns => new()
    {
        $@"{English}| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|\s+(?!\S)|\s+",
        $@"(?i:{English})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        $@"(?i:{English})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        @"\p{N}",
        @"\p{N}{1,3}",
        @"\p{N}+",
        "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
        DeepSeek.Replace(@"\r\n", "\r\n", StringComparison.Ordinal),
    };

    [Theory, MemberData(nameof(Patterns))]
    public void Scanners_cut_as_their_expression_does(string pattern)
    {
        var scanner = Splits.ByExpression(pattern, SplitBehavior.Isolated, "");
        Assert.IsAssignableFrom<Scanner>(scanner);
        var expression = new RegexSplitter(new SplitPattern(pattern, ""), SplitBehavior.Isolated);
        var random = new Random(5);
        for (var round = 0; round < Fixtures.Rounds(2000); round++)
        {
            var text = RandomText(random);
            Assert.Equal((text, Cut(expression, text)), (text, Cut(scanner, text)));
        }
    }

    [Theory]
    [InlineData("deepseek-llm", "Hello, wörld 123\n\na你好吗 '  end  ", "Hello|,| w|ö|rld| |1|2|3|\n|\n|a|你好吗| '| | end|  ")]
    [InlineData("deepseek-coder", "x = f_1(y)\r\n𝒳", "x| =| f|_|1|(|y|)|\r|\n|𝒳")]
    [InlineData("tekken", "HelloWorld it's 12/\n a", "Hello|World| it|'s| |1|2|/\n| a")]
    [InlineData("gpt-4o", "HelloWORLD it's IT'S 1234", "Hello|WORLD| it's| IT'S| |123|4")]
    [InlineData("llama-bpe", "It'S 1234  \n\n x", "It|'S| |123|4|  \n\n| x")]
    [InlineData("default", "a,b  1234", "a|,|b| | |123|4")]
    public void Named_pre_tokenizers_cut_as_their_models_do(string name, string text, string expected) =>
        Assert.Equal(expected, Cut([.. PreTokenizers.Get(name).Splitters.Select(make => make())], text));

    [Fact]
    public void Every_name_has_splitters_that_work()
    {
        foreach (var name in PreTokenizers.Names)
            Assert.Equal("ab 12 é🦙", Cut([.. PreTokenizers.Get(name).Splitters.Select(make => make())], "ab 12 é🦙").Replace("|", "", StringComparison.Ordinal));
    }

    [Fact]
    public void No_word_is_encoded_after_the_one_that_makes_too_many_tokens_certain()
    {
        var words = new Words();
        Assert.Throws<TooManyTokensException>(() => new PieceSink([new Gpt2Scanner()], 0, words, new(3, 4)).Take(string.Join(' ', Enumerable.Range(0, 1000))));
        Assert.Equal(3, words.Seen.Count);
    }

    [Theory, InlineData(8, true), InlineData(9, false)]
    public void A_word_too_long_for_the_tokens_that_may_be_is_not_encoded_at_all(int length, bool fits)
    {
        var words = new Words(longest: 2);
        var ids = new TokenList(4, 4);
        if (fits)
            words.Encode(new string('x', length), ids);
        else
            Assert.Throws<TooManyTokensException>(() => words.Encode(new string('x', length), ids));
        Assert.Equal(fits ? 1 : 0, words.Seen.Count);
    }

    static string Cut(Splitter splitter, string text) => Cut([splitter], text);

    static string Cut(Splitter[] splitters, string text)
    {
        var words = new Words();
        var ids = new TokenList(int.MaxValue, 16);
        new PieceSink(splitters, 0, words, ids).Take(text);
        return string.Join('|', ids.ToArray().Select(id => words.Seen[id]));
    }

    /// <summary>A model whose tokens are the words themselves.</summary>
    sealed class Words(int? longest = null) : WordModel
    {
        protected override int? LongestToken => longest;

        public List<string> Seen { get; } = [];

        protected override void EncodeUtf8(ReadOnlySpan<byte> word, TokenList ids)
        {
            ids.Add(Seen.Count);
            Seen.Add(Encoding.UTF8.GetString(word));
        }
    }

    static string RandomText(Random random)
    {
        string[] parts = ["'", "s", "S", "ſ", "ll", "VE", "re", "a", "é", "Z", " ", "  ", "\n", "\r\n", "\t", "1", "234", "½", "!", "-", "_", "$", "。", "你", "か", "ー", "\u0301", "\u0903",
            "𝒳", "😀", "𝟙", "\u00A0", "\u2028", "\u0085", "\u200B", "\0", "\u001C", "\uE000", "\u0378"];
        return string.Concat(Enumerable.Range(0, random.Next(1, 14)).Select(_ => parts[random.Next(parts.Length)]));
    }
}
