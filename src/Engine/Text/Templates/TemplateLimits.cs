namespace Serving.Text.Templates;

/// <summary>What a template may spend on one rendering; a template is data from outside and is never trusted to end.</summary>
public sealed record TemplateLimits
{
    /// <summary>The limits used where none are given.</summary>
    public static TemplateLimits Default { get; } = new();

    /// <summary>Characters of template source accepted by the parser.</summary>
    public int SourceCharacters { get; init; } = 1 << 20;

    /// <summary>Evaluated nodes, list elements and compared items together; the clock of the engine, the same on every machine.</summary>
    public long Steps { get; init; } = 10_000_000;

    /// <summary>Characters of the rendered text, and of any one string on the way to it.</summary>
    public int OutputCharacters { get; init; } = 16 << 20;

    /// <summary>Characters of all strings made while rendering, the dropped ones included; bounds memory.</summary>
    public long TotalCharacters { get; init; } = 128 << 20;

    /// <summary>How deep evaluation may nest: expressions, blocks and macro calls together.</summary>
    public int Depth { get; init; } = 1000;

    /// <summary>How deep the source may nest parentheses, brackets and blocks.</summary>
    public int Nesting { get; init; } = 100;

    /// <summary>The most numbers <c>range</c> may span; 100,000 as in Jinja's own sandbox.</summary>
    public int RangeItems { get; init; } = 100_000;

    /// <summary>How deep the JSON of messages, tools and variables may nest.</summary>
    public int JsonDepth { get; init; } = 128;
}
