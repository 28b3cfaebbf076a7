using System.Runtime.CompilerServices;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Runtime;

/// <summary>The state of one rendering: where the output goes, the line being evaluated, and what is left of the limits.</summary>
sealed class Rendering
{
    readonly TimeProvider _clock;
    long _steps;
    long _characters;
    int _depth;

    public Rendering(TemplateLimits limits, TimeProvider clock)
    {
        (Limits, _clock) = (limits, clock);
        Output = new TextBuilder(this);
    }

    public TemplateLimits Limits { get; }

    public TextBuilder Output { get; private set; }

    public int Line { get; set; }

    public DateTimeOffset Now => _clock.GetLocalNow();

    /// <summary>One level deeper; paired with <see cref="Leave"/> only on success, as a failure ends the rendering.</summary>
    public void Enter()
    {
        Step();
        if (++_depth > Limits.Depth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw TemplateException.Limit($"Evaluation nests deeper than {Limits.Depth} levels; is a macro calling itself without end?");
    }

    public void Leave() => _depth--;

    public void Step(long count = 1)
    {
        if ((_steps += count) > Limits.Steps)
            throw TemplateException.Limit($"Rendering took more than {Limits.Steps} steps; the template loops too long for a prompt.");
    }

    /// <summary>Accounts for characters about to be made, before their memory is taken; <paramref name="with"/> ones stand before them
    /// in the same text.</summary>
    public void Charge(long characters, int with = 0)
    {
        if (characters + with > Limits.OutputCharacters)
            throw TemplateException.Limit($"A text of {characters + with} characters is longer than {Limits.OutputCharacters}.");
        if ((_characters += characters) > Limits.TotalCharacters)
            throw TemplateException.Limit($"Rendering made more than {Limits.TotalCharacters} characters of text.");
        Step(characters >> 6);
    }

    /// <summary>Accounts for a search, whose worst case is the product of both lengths.</summary>
    public void ChargeSearch(int text, int part) => Step((1 + (text >> 6)) * (1L + (Math.Min(text, part) >> 6)));

    /// <summary>What <paramref name="body"/> prints, as a string instead of output.</summary>
    public Str Capture(Action body)
    {
        var (outer, inner) = (Output, new TextBuilder(this));
        Output = inner;
        body();
        Output = outer;
        return inner.ToStr();
    }
}
