using System.Text.Json;
using Serving.Text.Templates.Nodes;
using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Syntax;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates;

/// <summary>A parsed chat template: Jinja2 as model publishers use it, run in a sandbox. Immutable; any number of threads may render at
/// once.</summary>
public sealed class ChatTemplate
{
    readonly Block _body;
    readonly TemplateLimits _limits;
    readonly Lazy<TemplateCapabilities> _capabilities;

    ChatTemplate(Block body, string source, TemplateLimits limits)
    {
        (_body, Source, _limits) = (body, source, limits);
        _capabilities = new(() => TemplateCapabilities.Of(this));
    }

    /// <summary>The template's source, as given.</summary>
    public string Source { get; }

    /// <summary>What the template can do; learned on first use by rendering five small conversations.</summary>
    public TemplateCapabilities Capabilities => _capabilities.Value;

    /// <summary>Parses a source; a <see cref="TemplateException"/> names the line of what it cannot read.</summary>
    public static ChatTemplate Parse(string source, TemplateLimits? limits = null)
    {
        limits ??= TemplateLimits.Default;
        return new ChatTemplate(Parser.Parse(source, limits), source, limits);
    }

    /// <summary>Renders a conversation; every failure is a <see cref="TemplateException"/>.</summary>
    public RenderedChat Render(ChatTemplateInput input)
    {
        if (input is { AddGenerationPrompt: true, ContinueFinalMessage: true })
            throw new TemplateException(TemplateFault.Input,
                "add_generation_prompt and continue_final_message exclude each other; set one of them.");
        var rendering = new Rendering(_limits, input.Clock);
        var prompt = Render(rendering, Variables(rendering, input));
        if (input.ContinueFinalMessage) prompt = Conversation.CutAtTag(prompt);
        return new RenderedChat(prompt.Text, prompt.Marks.ToRanges());
    }

    /// <summary>Renders with these variables alone.</summary>
    internal string Render(IReadOnlyDictionary<string, JsonElement> variables, TimeProvider clock)
    {
        var rendering = new Rendering(_limits, clock);
        var scope = new Scope(rendering);
        foreach (var (name, value) in variables) scope.Set(name, JsonValues.Read(value, _limits));
        return Render(rendering, scope).Text;
    }

    Scope Variables(Rendering rendering, ChatTemplateInput input)
    {
        var scope = new Scope(rendering);
        scope.Set("messages", Conversation.Prepare(input, _limits));
        scope.Set("tools", Optional(input.Tools));
        scope.Set("documents", Optional(input.Documents));
        scope.Set("add_generation_prompt", Bool.Of(input.AddGenerationPrompt));
        if (input.BosToken is not null) scope.Set("bos_token", new Str(input.BosToken));
        if (input.EosToken is not null) scope.Set("eos_token", new Str(input.EosToken));
        foreach (var (name, value) in input.Variables) scope.Set(name, JsonValues.Read(value, _limits));
        return scope;
    }

    Value Optional(JsonElement? json) => json is { } given ? JsonValues.Read(given, _limits) : None.Value;

    Str Render(Rendering rendering, Scope scope)
    {
        try
        {
            _body.Execute(scope);
            return rendering.Output.ToStr();
        }
        catch (TemplateException failure)
        {
            throw failure.At(rendering.Line);
        }
    }
}
