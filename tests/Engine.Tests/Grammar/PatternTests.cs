using Serving.Grammar;
using Serving.Grammar.Expressions;

namespace Serving.Tests;

public sealed class PatternTests
{
    static readonly GrammarCompiler Compiler = GrammarLab.Compiler();

    [Theory]
    [InlineData("a{2,3}b?|c+", "aa|aaab|ccc", "a|aaaa|cb|")]
    [InlineData("^[^a-cé\\]]*$", "|xyz|-|日本", "a|é|]|xcx")]
    [InlineData(@"\d{1,3}(?:\.\d+)?\s\w\W", "12 x!|1.50\u00A0_-", "1234 x!|12 xx|.5 x!")]
    [InlineData(@"[\w.+-]+@[a-z]+\.com", "a.b+c@x.com|é", "")]
    [InlineData(@"(?<year>\d{4})-x{3,}?", "2024-xxxx", "2024-xx|24-xxx")]
    [InlineData(@"\u0041\x42\u{1F600}[\u{1F600}-\u{1F603}]\p{Lu}\P{L}", "AB😀😂Ä1", "AB😀😂äa")]
    [InlineData("(|a|)b{0}c", "c|ac", "bc|")]
    [InlineData("x{,3}", "x{,3}", "xx")]
    [InlineData(".", "a|é|😀", "\n|aa|")]
    public void An_expression_takes_what_it_matches_from_end_to_end(string pattern, string matches, string others)
    {
        var grammar = Compiler.Compile(GrammarSources.Regex(pattern));
        Assert.All(matches.Split('|').Where(text => text != "é" || pattern[0] != '['), text => Assert.True(GrammarLab.Fits(grammar, text), text));
        Assert.All(others.Split('|').Where(text => text != "" || !GrammarLab.Fits(grammar, "")), text => Assert.False(GrammarLab.Fits(grammar, text), text));
    }

    [Theory]
    [InlineData("a(b", "lacks a ')'")]
    [InlineData("a)", "unexpected ')'")]
    [InlineData("*a", "unexpected '*'")]
    [InlineData("a**", "unexpected '*'")]
    [InlineData("[z-a]", "goes backwards")]
    [InlineData(@"\bword", "'\\b'")]
    [InlineData("a(?!b)", "Look-around")]
    [InlineData("a^b", "'^' within")]
    [InlineData("a{3,2}", "make no sense")]
    [InlineData(@"\p{Greek}", "'Greek'")]
    [InlineData(@"\u{110000}", "no character code")]
    public void An_expression_that_is_not_regular_is_refused_by_what_it_holds(string pattern, string reason) =>
        Assert.Contains(reason, Assert.Throws<GrammarException>(() => GrammarSources.Regex(pattern)).Message);

    [Theory]
    [InlineData("root ::= \"a\" b* # comment\nb ::= [x-z] |\n  \"\\\"\\n\\x41\"{2}", "a|axyz|a\"\nA\"\nA", "b|a\"\nA")]
    [InlineData("root ::= (\"(\" root \")\" | \".\")\n", ".|((.))", "(.|")]
    [InlineData("# first\n\nroot ::= list\nlist ::= item (\",\" item)*\nitem ::= [^,\\n]{1,3}", "a|a,bcd,é", "a,|abcd|")]
    [InlineData("root ::= a\n  | b\na ::= \"x\" a?\nb ::= \"y\"+", "xxx|yy", "xy")]
    public void A_grammar_takes_the_texts_of_its_root(string source, string texts, string others)
    {
        var grammar = Compiler.Compile(GrammarSources.Gbnf(source));
        Assert.All(texts.Split('|'), text => Assert.True(GrammarLab.Fits(grammar, text), text));
        Assert.All(others.Split('|'), text => Assert.False(GrammarLab.Fits(grammar, text), text));
    }

    [Theory]
    [InlineData("rot ::= \"a\"", "no rule 'root'")]
    [InlineData("root ::= other", "'other' is used and not defined")]
    [InlineData("root ::= root \"a\" | \"b\"", "begins with itself")]
    [InlineData("root ::= \"a\" root", "No text fits")]
    [InlineData("root = \"a\"", "where '::=' is expected")]
    [InlineData("root ::= \"a", "where '\"' is expected")]
    [InlineData("root ::= (\"a\"", "where ')' is expected")]
    [InlineData("root ::= \"a\"\nroot ::= \"b\"", "defined twice")]
    [InlineData("root ::= [b-a]", "goes backwards")]
    public void A_grammar_that_makes_no_sense_is_refused_with_its_place(string source, string reason) =>
        Assert.Contains(reason, Assert.Throws<GrammarException>(() => Compiler.Compile(GrammarSources.Gbnf(source))).Message);

    [Fact]
    public void An_ambiguous_grammar_stays_small_however_long_its_text()
    {
        var grammar = Compiler.Compile(GrammarSources.Gbnf("root ::= \"(\" root \")\" | \"(\" root \"]\" | \".\""));
        var constraint = grammar.Begin(100_000);
        var (open, dot, close) = (Id("("), Id("."), Id("]"));
        for (var i = 0; i < 3000; i++)
            Assert.True(constraint.Accept(open));
        Assert.True(constraint.Accept(dot));
        for (var i = 0; i < 3000; i++)
            Assert.True(constraint.Accept(close), $"{i}");
        Assert.True(constraint.Ended);

        static int Id(string text) => GrammarLab.Tokenizer.Encode(text, false, false).Single();
    }

    [Fact]
    public void The_end_comes_in_time_where_the_room_allows_it()
    {
        var grammar = Compiler.Compile(GrammarLab.Schema("""{"type": "object", "properties": {"a_rather_long_name": {"type": "string"}, "b": {"$ref": "#"}}, "required": ["a_rather_long_name"]}"""));
        Assert.InRange(grammar.FewestTokens, 5, 25);
        for (var room = grammar.FewestTokens; room < grammar.FewestTokens + 20; room++)
            for (var seed = 0; seed < 20; seed++)
                Assert.True(GrammarLab.Draw(grammar, room, new(seed)).Ended, $"room {room}, seed {seed}");
    }

    [Fact]
    public void Text_comes_up_to_the_first_end_and_control_tokens_are_not_spelled_by_text()
    {
        var until = Compiler.Compile(Expr.Of(GrammarSources.Until("aab"), Expr.Text("!")));
        Assert.All((string[])["aab!", "xaaab!", "ababaab!"], text => Assert.True(GrammarLab.Fits(until, text), text));
        Assert.All((string[])["aabaab!", "aa!", "aab"], text => Assert.False(GrammarLab.Fits(until, text), text));
        var marked = Compiler.Compile(Expr.Of(Expr.Marker("<|im_start|>"), Expr.Text("x"))).Begin(10);
        Assert.Equal([GrammarLab.Tokenizer.IdOf("<|im_start|>")!.Value], GrammarLab.Ids(GrammarLab.Mask(marked)));
    }
}
