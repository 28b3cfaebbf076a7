using Serving.Grammar;
using Serving.Grammar.Automata;
using Serving.Grammar.Expressions;

namespace Serving.Tests;

public sealed class TokenMaskTests
{
    static readonly (string Name, Expr Grammar)[] Grammars =
    [
        ("any object", GrammarSources.JsonObject),
        ("a schema", GrammarLab.Schema("""
            {"type": "object", "properties": {"name": {"type": "string", "maxLength": 30}, "tags": {"type": "array", "items": {"enum": ["one", "two", "tea"]}, "maxItems": 9},
             "next": {"$ref": "#"}, "n": {"type": "number", "minimum": -3.5, "maximum": 120}}, "required": ["name"], "additionalProperties": {"type": "integer"} }
            """)),
        ("an expression", GrammarSources.Regex(@"(\w+@\w+\.(com|org)|[^a-z]{3,}|.*x.{5})")),
        ("a grammar", GrammarSources.Gbnf("root ::= sum\nsum ::= part (\" + \" part)*\npart ::= [0-9]{1,40} | \"(\" sum \")\" | \"(\" sum \"]\"")),
        ("text and an end", Expr.Of(GrammarSources.Until("</think>"), Expr.Marker("<|im_end|>"), Expr.Text("ok"))),
    ];

    [Fact]
    public void A_mask_holds_the_tokens_that_can_be_stepped_over_and_no_others()
    {
        var seed = Random.Shared.Next();
        foreach (var (name, expression) in Grammars)
        {
            var compiler = GrammarLab.Compiler();
            var grammar = compiler.Compile(expression);
            var naive = compiler.Compile(expression);
            for (var walk = 0; walk < 3; walk++)
                Compare(grammar, naive, new Random(seed + walk), 14, $"{name}, seed {seed + walk}");
        }
    }

    static void Compare(CompiledGrammar grammar, CompiledGrammar naive, Random random, int steps, string at)
    {
        var room = naive.FewestTokens + random.Next(30);
        var constraint = grammar.Begin(room);
        var where = naive.Start;
        for (var step = 0; step < Math.Min(room, steps) && !constraint.Ended; step++)
        {
            var left = room - step;
            int[] wanted = [.. Enumerable.Range(0, GrammarLab.Tokenizer.VocabularySize).Where(id =>
                (naive.TryStep(where, id, out var next) && next.Tokens < left) || (id == GrammarLab.Stop && where.Ends))];
            var mask = GrammarLab.Ids(GrammarLab.Mask(constraint));
            Assert.True(wanted.SequenceEqual(mask), $"{at}, step {step}: {string.Join(' ', wanted.Except(mask).Take(9))} lack, {string.Join(' ', mask.Except(wanted).Take(9))} are too many.");
            var chosen = mask[random.Next(mask.Length)];
            if (chosen == GrammarLab.Stop && where.Ends)
                return;
            Assert.True(naive.TryStep(where, chosen, out where) && constraint.Accept(chosen), $"{at}, step {step}: {chosen}");
        }
    }

    [Fact]
    public void Accepted_tokens_can_be_taken_back()
    {
        var constraint = GrammarLab.Compiler().Compile(GrammarSources.JsonObject).Begin(100);
        var masks = new List<ulong[]>();
        foreach (var id in GrammarLab.Tokenizer.Encode("{\"a\": [1, {\"b\": null}]}", false, false))
        {
            masks.Add(GrammarLab.Mask(constraint));
            Assert.True(constraint.Accept(id));
        }
        Assert.True(constraint.Ended);
        Assert.False(constraint.Accept(5));
        for (var i = masks.Count - 1; i >= 0; i--)
        {
            constraint.Rollback(1);
            Assert.Equal(masks[i], GrammarLab.Mask(constraint));
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => constraint.Rollback(1));
    }

    [Fact]
    public void Grammars_that_nobody_asks_for_any_more_are_collected_though_they_had_masks()
    {
        const int Grammars = 90;
        var compiler = GrammarLab.Compiler();
        var used = Enumerable.Range(0, Grammars).Select(i => Used(compiler, i)).ToList();
        GC.Collect();
        // Some are kept to be asked for again, and some by masks that are not yet many.
        Assert.InRange(used.Count(one => one.IsAlive), 1, 60);

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static WeakReference Used(GrammarCompiler compiler, int number)
        {
            var random = new Random(number);
            var texts = string.Join(',', Enumerable.Range(0, 400).Select(_ => $"\"{random.NextInt64()}{random.NextInt64()}\""));
            var grammar = compiler.Compile($"{number}", () => GrammarLab.Schema($"{{\"enum\": [{texts}]}}"));
            Assert.InRange(grammar.States, 5_000, 20_000);
            GrammarLab.Mask(grammar.Begin(1000));
            return new(grammar.Start);
        }
    }

    [Fact]
    public void A_grammar_that_is_looked_at_again_computes_nothing()
    {
        var grammar = GrammarLab.Compiler().Compile(Grammars[1].Grammar);
        int[] ids = GrammarLab.Tokenizer.Encode("{\"name\": \"some longer text\", \"n\": 12.5}", false, false);
        var mask = new ulong[GrammarLab.Words];
        Walk();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Walk();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2000);

        void Walk()
        {
            var constraint = grammar.Begin(1000);
            foreach (var id in ids)
            {
                constraint.Allow(mask);
                Assert.True(constraint.Accept(id));
            }
        }
    }
}
