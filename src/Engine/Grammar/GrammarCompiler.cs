using System.Collections.Immutable;
using Serving.Grammar.Automata;
using Serving.Grammar.Expressions;
using Serving.Grammar.Masks;
using Serving.Grammar.Schemas;
using Serving.Text;

namespace Serving.Grammar;

/// <summary>
/// Compiles grammars for one vocabulary, and keeps those compiled last. Any thread may compile; the constraints of all its grammars belong
/// to one thread.
/// </summary>
public sealed class GrammarCompiler
{
    const int MostKept = 32;

    readonly TokenTrie _trie;
    readonly TokenMasks _masks;
    readonly ImmutableArray<int> _stops;
    readonly IReadOnlyDictionary<Definition, Rule> _library;
    readonly Lock _lock = new();
    readonly LinkedList<(string Key, CompiledGrammar Grammar)> _kept = [];
    long _keptStates;

    /// <summary>A compiler for the first <paramref name="size"/> tokens of a vocabulary.</summary>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="size">Tokens of the model.</param>
    /// <param name="stops">Tokens that end a text, allowed where it may end.</param>
    /// <param name="limits">How much one grammar may take.</param>
    public GrammarCompiler(Tokenizer tokenizer, int size, IEnumerable<int> stops, GrammarLimits? limits = null)
    {
        Limits = limits ?? new();
        _trie = new(tokenizer, size);
        _masks = new(_trie, Limits);
        _stops = [.. stops.Where(stop => stop >= 0 && stop < size)];
        var shared = new RuleCompiler(_trie, ImmutableDictionary<Definition, Rule>.Empty, new(Limits));
        shared.Compile(JsonText.Value.Called());
        _library = shared.Rules;
    }

    /// <summary>How much one grammar may take.</summary>
    public GrammarLimits Limits { get; }

    /// <summary>Compiles an expression; what cannot be served is a <see cref="GrammarException"/>.</summary>
    public CompiledGrammar Compile(Expr expression)
    {
        var rules = new RuleCompiler(_trie, _library, new(Limits));
        var root = rules.Compile(expression);
        return new(root, rules.States, _trie, _masks, _stops);
    }

    /// <summary>Compiles what <paramref name="read"/> makes, or takes what was compiled under this key before.</summary>
    public CompiledGrammar Compile(string key, Func<Expr> read)
    {
        lock (_lock)
        {
            for (var node = _kept.First; node is not null; node = node.Next)
            {
                if (node.Value.Key != key)
                    continue;
                _kept.Remove(node);
                _kept.AddFirst(node);
                return node.Value.Grammar;
            }
        }
        var grammar = Compile(read());
        lock (_lock)
        {
            _kept.AddFirst((key, grammar));
            _keptStates += grammar.States;
            while (_kept.Count > MostKept || (_keptStates > Limits.KeptStates && _kept.Count > 1))
            {
                var gone = _kept.Last!.Value.Grammar;
                _kept.RemoveLast();
                _keptStates -= gone.States;
                _masks.LetGo(gone.States);
            }
        }
        return grammar;
    }
}
