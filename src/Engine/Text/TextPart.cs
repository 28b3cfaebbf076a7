namespace Serving.Text;

/// <summary>A part of a text to encode; where <paramref name="ParseSpecial"/> is false the spelling of a control token is plain text, as it must be for what users write.</summary>
/// <param name="Text">The characters of this part.</param>
/// <param name="ParseSpecial">Whether control tokens spelled in this part are recognised.</param>
public readonly record struct TextPart(string Text, bool ParseSpecial);
