namespace Serving.Grammar;

/// <summary>A schema, expression or grammar that cannot be served; the message is for whoever wrote it, and names what is wrong.</summary>
public sealed class GrammarException(string message) : Exception(message);
