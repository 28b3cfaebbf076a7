namespace Serving.Text.Templates;

/// <summary>A rendered conversation, and which parts of it came from the request instead of the template.</summary>
/// <param name="Text">The prompt's text.</param>
/// <param name="ContentRanges">UTF-16 ranges of <paramref name="Text"/>, ascending and disjoint, that hold text of the request
/// (messages, tools, documents,
/// variables); special-token spellings inside them are plain text.</param>
public sealed record RenderedChat(string Text, IReadOnlyList<Range> ContentRanges);
