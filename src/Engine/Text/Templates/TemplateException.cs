namespace Serving.Text.Templates;

/// <summary>Why a chat template could not be used.</summary>
public enum TemplateFault
{
    /// <summary>The source is not a template this engine can read.</summary>
    Syntax,

    /// <summary>An expression failed while rendering, as it would in Python.</summary>
    Runtime,

    /// <summary>A limit of <see cref="TemplateLimits"/> was reached.</summary>
    Limit,

    /// <summary>The template itself refused the conversation by calling <c>raise_exception</c>.</summary>
    Raised,

    /// <summary>The conversation given to the template is not one (wrong JSON types, nothing to continue).</summary>
    Input,
}

/// <summary>The only exception a chat template throws: what failed, at which line of the template, and what to do.</summary>
public sealed class TemplateException : Exception
{
    /// <summary>Describes a failure; <paramref name="line"/> is 1-based, 0 where no line is known.</summary>
    public TemplateException(TemplateFault fault, string reason, int line = 0)
        : base(fault == TemplateFault.Raised || line == 0 ? reason : $"Chat template, line {line}: {reason}") =>
        (Fault, Reason, Line) = (fault, reason, line);

    /// <summary>What kind of failure this is.</summary>
    public TemplateFault Fault { get; }

    /// <summary>The failure in words, without the line; for <see cref="TemplateFault.Raised"/> exactly the template's own words.</summary>
    public string Reason { get; }

    /// <summary>The 1-based line of the template's source, or 0 where none is known.</summary>
    public int Line { get; }

    internal static TemplateException Runtime(string reason) => new(TemplateFault.Runtime, reason);

    internal static TemplateException Limit(string reason) => new(TemplateFault.Limit, reason);

    internal TemplateException At(int line) => Line == 0 ? new TemplateException(Fault, Reason, line) : this;
}
