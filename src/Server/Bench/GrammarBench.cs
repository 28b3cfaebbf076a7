using System.Diagnostics;
using System.Text.Json;
using Serving.Grammar;
using Serving.Grammar.Expressions;
using Serving.Text;

namespace Serving.Server.Bench;

/// <summary>What one grammar costs over one vocabulary.</summary>
/// <param name="Grammar">What it is.</param>
/// <param name="Vocabulary">Tokens of the vocabulary.</param>
/// <param name="CompileMilliseconds">From its source to a constraint that can begin; median.</param>
/// <param name="Tokens">Tokens of the texts that were walked.</param>
/// <param name="FirstMicroseconds">A mask and a step over a token, mean of the first walk, which computes what is remembered.</param>
/// <param name="MaskMicroseconds">A mask, mean of later walks; median of repeats.</param>
/// <param name="WorstMaskMicroseconds">The slowest mask of the later walks: the median over repeats of each walk's slowest.</param>
/// <param name="StepMicroseconds">A step over a token, mean of later walks; median of repeats.</param>
sealed record GrammarCost(
    string Grammar, int Vocabulary, double CompileMilliseconds, int Tokens, double FirstMicroseconds, double MaskMicroseconds,
    double WorstMaskMicroseconds, double StepMicroseconds);

/// <summary>Measures grammars on texts that belong to them: compile time, and what each token costs before and after warm-up.</summary>
sealed class GrammarBench(Tokenizer tokenizer, int repeats)
{
    const int Room = 1 << 20;

    readonly GrammarCompiler _compiler = new(tokenizer, tokenizer.VocabularySize, []);

    static readonly (string Name, Func<Expr> Read, string[] Texts)[] Grammars =
    [
        ("any JSON object", () => GrammarSources.JsonObject,
            ["""{"name": "a longer text, with \"quotes\"", "list": [1, 2.5e3, {"deep": [[[null, true]]]}], "π": "été"}"""]),
        ("a schema of 6 properties", () => Schema("""
            {"type": "object", "properties": {"name": {"type": "string", "maxLength": 60}, "age": {"type": "integer", "minimum": 0, "maximum": 130}, "email": {"type": "string", "format": "email"},
             "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "maxItems": 8}, "address": {"type": "object", "properties": {"street": {"type": "string"}, "zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
             "required": ["street"]}, "active": {"type": "boolean"}}, "required": ["name", "age", "active"]}
            """),
            ["""{"name": "Ada Lovelace, Countess", "age": 36, "email": "ada@example.com", "tags": ["red", "blue"], "address": {"street": "12 St James's Square", "zip": "12345"}, "active": true}""", """{"name": "B", "age": 7, "active": false}"""]),
        ("a schema that calls itself", () => Schema("""
            {"$defs": {"node": {"type": "object", "properties": {"value": {"type": "number"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}, "required": ["value", "children"]}}, "$ref": "#/$defs/node"}
            """),
            ["""{"value": 1.5, "children": [{"value": 2, "children": []}, {"value": -3e2, "children": [{"value": 0, "children": []}]}]}"""]),
        ("200 optional properties", () => Schema(Wide(200)), ["""{"property3": "some text", "property77": "other text", "property199": "the last"}"""]),
        ("an expression", () => GrammarSources.Regex(@"[\w.+-]{1,40}@[\w-]+\.(com|org|net) — (?:\d{3}-){2}\d{4}"), ["some.body+tag@example-site.org — 555-123-4567"]),
        ("10,000 choices", () => Expr.OneOf(Enumerable.Range(0, 10_000).Select(i => Expr.Text($"choice number {i * 7919 % 10_000}"))), ["choice number 4711"]),
        ("a grammar of sums", () => GrammarSources.Gbnf("root ::= term ([-+*/] term)*\nterm ::= [0-9]+ | \"(\" root \")\""), ["(12+3)*(4-(5/6))+78901"]),
    ];

    /// <summary>The cost of every grammar.</summary>
    public IEnumerable<GrammarCost> Run() => Grammars.Select(grammar => Measure(grammar.Name, grammar.Read, grammar.Texts));

    GrammarCost Measure(string name, Func<Expr> read, string[] texts)
    {
        var compiled = _compiler.Compile(read());
        var compile = Median(Enumerable.Range(0, repeats).Select(_ => Timed(() => compiled = _compiler.Compile(read())) / 1000));
        int[][] walks = [.. texts.Select(text => tokenizer.Encode(text, addSpecial: false, parseSpecial: false))];
        var tokens = walks.Sum(ids => ids.Length);
        var (mask, step, _) = Walk(compiled, walks);
        var later = Enumerable.Range(0, repeats).Select(_ => Walk(compiled, walks)).ToList();
        return new(name, tokenizer.VocabularySize, compile, tokens, (mask + step) / tokens,
            Median(later.Select(walk => walk.Mask)) / tokens, Median(later.Select(walk => walk.Worst)), Median(later.Select(walk => walk.Step)) / tokens);
    }

    (double Mask, double Step, double Worst) Walk(CompiledGrammar grammar, int[][] walks)
    {
        var mask = new ulong[(tokenizer.VocabularySize + 63) / 64];
        var (masks, steps, worst) = (0.0, 0.0, 0.0);
        foreach (var ids in walks)
        {
            var constraint = grammar.Begin(Room);
            foreach (var id in ids)
            {
                var one = Timed(() => constraint.Allow(mask));
                (masks, worst) = (masks + one, Math.Max(worst, one));
                steps += Timed(() =>
                {
                    if (!constraint.Accept(id)) throw new InvalidOperationException($"The text does not fit: {tokenizer.Decode(ids, skipSpecial: false)}");
                });
                Array.Clear(mask);
            }
        }
        return (masks, steps, worst);
    }

    static double Timed(Action action)
    {
        var started = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds;
    }

    static Expr Schema(string json) => GrammarSources.JsonSchema(JsonElement.Parse(json));

    static string Wide(int properties) =>
        $$"""{"type": "object", "properties": { {{string.Join(", ", Enumerable.Range(0, properties).Select(i => $$"""  "property{{i}}": {"type": "string", "maxLength": {{i + 20}}}  """))}} } }""";

    static double Median(IEnumerable<double> values) => values.Order().ToList() is var sorted ? sorted[sorted.Count / 2] : 0;
}
