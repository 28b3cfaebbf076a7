using System.Collections.Immutable;
using System.Text;

namespace Serving.Grammar.Expressions;

/// <summary>What a grammar is written in: regular expressions over bytes that may call named rules. Immutable but for rules, which are tied once.</summary>
public abstract record Expr
{
    /// <summary>The empty text.</summary>
    public static Expr Empty { get; } = new Sequence([]);

    /// <summary>No text at all: what uses it can never be completed.</summary>
    public static Expr Nothing { get; } = new Choice([]);

    /// <summary>This text, byte for byte.</summary>
    public static Expr Text(string text) => new Literal([.. Encoding.UTF8.GetBytes(text)]);

    /// <summary>The control token that is spelled like this, or the text where the vocabulary has none.</summary>
    public static Expr Marker(string spelling) => new MarkerToken(spelling, OrText: true);

    /// <summary>The control token that is spelled like this; nothing where the vocabulary has none.</summary>
    public static Expr Control(string spelling) => new MarkerToken(spelling, OrText: false);

    /// <summary>One after the other.</summary>
    public static Expr Of(params ImmutableArray<Expr> items) => items is [var only] ? only : new Sequence(items);

    /// <summary>One of them.</summary>
    public static Expr OneOf(IEnumerable<Expr> items) => items.ToImmutableArray() is var all && all is [var only] ? only : new Choice(all);

    /// <summary>From <paramref name="min"/> to <paramref name="max"/> times, without end where null.</summary>
    public static Expr Times(Expr item, int min, int? max) => max == 0 ? Empty : new Repeat(item, min, max);

    /// <summary>This or nothing.</summary>
    public Expr OrEmpty() => new Repeat(this, 0, 1);

    /// <summary>At least one of the items, in their order, with a separator between any two; all that are required.</summary>
    internal static Expr Listed(ImmutableArray<(Expr Item, bool IsRequired)> items, Expr separator) => new Listing(items, separator);

    internal static Expr Byte(byte low, byte high) => new ByteRange(low, high);

    internal sealed record Literal(ImmutableArray<byte> Bytes) : Expr;

    internal sealed record MarkerToken(string Spelling, bool OrText) : Expr;

    internal sealed record ByteRange(byte Low, byte High) : Expr;

    internal sealed record Sequence(ImmutableArray<Expr> Items) : Expr;

    internal sealed record Choice(ImmutableArray<Expr> Items) : Expr;

    internal sealed record Repeat(Expr Item, int Min, int? Max) : Expr;

    internal sealed record Listing(ImmutableArray<(Expr Item, bool IsRequired)> Items, Expr Separator) : Expr;

    internal sealed record Call(Definition Callee) : Expr;

    /// <summary>An automaton over bytes as it is; the first node is where it begins.</summary>
    internal sealed record Graph(ImmutableArray<Node> Nodes) : Expr;

    /// <summary>A place of a <see cref="Graph"/>: whether the text may end there, and the ways on, whose ranges of bytes do not overlap.</summary>
    internal sealed record Node(bool Ends, ImmutableArray<(byte Low, byte High, int Target)> Ways);
}

/// <summary>A named rule, which may call itself. Equal to itself alone.</summary>
sealed class Definition(string name)
{
    Expr? _body;

    public string Name { get; } = name;

    public Expr Body
    {
        get => _body ?? throw new GrammarException($"The rule '{Name}' is used and not defined.");
        set => _body = value;
    }

    public bool IsDefined => _body is not null;

    public static Definition Of(string name, Expr body) => new(name) { Body = body };

    public Expr Called() => new Expr.Call(this);
}
