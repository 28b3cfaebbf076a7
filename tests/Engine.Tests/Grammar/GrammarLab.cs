using System.Text;
using System.Text.Json;
using Serving.Grammar;
using Serving.Grammar.Expressions;
using Serving.Model;
using Serving.Sampling;
using Serving.Text;

namespace Serving.Tests;

/// <summary>Grammars over the vocabulary of the model that comes with the program.</summary>
static class GrammarLab
{
    public const int Stop = 2;

    static readonly Lazy<Tokenizer> Embedded = new(() =>
    {
        using var checkpoint = Checkpoint.Open(RealModels.Folder(RealModels.Embedded));
        return CheckpointTokenizer.Load(checkpoint)!;
    });

    public static Tokenizer Tokenizer => Embedded.Value;

    public static int Words => (Tokenizer.VocabularySize + 63) / 64;

    public static GrammarCompiler Compiler(GrammarLimits? limits = null) => new(Tokenizer, Tokenizer.VocabularySize, [Stop], limits);

    public static Expr Schema(string json) => GrammarSources.JsonSchema(JsonElement.Parse(json));

    /// <summary>Whether a text belongs to a grammar, byte by byte.</summary>
    public static bool Fits(CompiledGrammar grammar, string text)
    {
        var at = grammar.Start;
        foreach (var value in Encoding.UTF8.GetBytes(text))
            at = grammar.Stacks.After(at, value);
        return at.Ends;
    }

    public static bool Fits(Expr expression, string text) => Fits(Compiler().Compile(expression), text);

    public static ulong[] Mask(ITokenConstraint constraint)
    {
        var mask = new ulong[Words];
        constraint.Allow(mask);
        return mask;
    }

    public static int[] Ids(ulong[] mask) =>
        [.. Enumerable.Range(0, mask.Length * 64).Where(id => (mask[id / 64] >> (id % 64) & 1) != 0)];

    /// <summary>Draws tokens that the constraint allows until it ends or its room does; returns the text, or what went wrong.</summary>
    public static (string Text, bool Ended) Draw(CompiledGrammar grammar, int room, Random random)
    {
        var constraint = grammar.Begin(room);
        var ids = new List<int>();
        while (ids.Count < room && !constraint.Ended)
        {
            var allowed = Ids(Mask(constraint));
            Assert.True(allowed.Length > 0, $"Nothing may come after {Tokenizer.Decode([.. ids], false)}.");
            var id = allowed[random.Next(allowed.Length)];
            Assert.True(constraint.Accept(id), $"{id} was allowed and is refused after {Tokenizer.Decode([.. ids], false)}.");
            if (id == Stop)
                return (Tokenizer.Decode([.. ids], skipSpecial: false), true);
            ids.Add(id);
        }
        return (Tokenizer.Decode([.. ids], skipSpecial: false), constraint.Ended);
    }
}
