using System.Text.Json;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates;

/// <summary>The changes made to messages before a template sees them, as the reference implementation of chat templates makes
/// them.</summary>
static class Conversation
{
    /// <summary>Stands at the end of the message to continue, so that its place in the prompt can be found.</summary>
    const string Tag = "CONTINUE_FINAL_MESSAGE_TAG ";

    static readonly string[] ReasoningNames = ["reasoning_content", "thinking", "reasoning"];

    public static ListValue Prepare(ChatTemplateInput input, TemplateLimits limits)
    {
        if (input.Messages.ValueKind != JsonValueKind.Array)
            throw new TemplateException(TemplateFault.Input, $"Messages must be a JSON array, not {input.Messages.ValueKind}.");
        var messages = new List<Value>();
        foreach (var json in input.Messages.EnumerateArray())
            messages.Add(JsonValues.Read(json, limits) is Dict message ? Prepare(message, input, limits)
                : throw new TemplateException(TemplateFault.Input,
                    $"Message {messages.Count} must be a JSON object, not {json.ValueKind}."));
        if (input.ContinueFinalMessage) messages[^1] = Tagged(messages is [.., Dict last] ? last : throw NothingToContinue());
        return new ListValue(messages);
    }

    /// <summary>The prompt up to where the message to continue ends; without its last spaces where the template cut them.</summary>
    public static Str CutAtTag(Str prompt)
    {
        var at = prompt.Text.LastIndexOf(Tag.TrimEnd(), StringComparison.Ordinal);
        if (at < 0)
            throw new TemplateException(TemplateFault.Input,
                "The template does not print the final message as it is, so it cannot go on; send it without continue_final_message.");
        var kept = prompt.Text.AsSpan(at).StartsWith(Tag, StringComparison.Ordinal);
        return prompt.Slice(0, kept ? at : Library.PythonText.TrimEnd(prompt.Text.AsSpan(0, at)));
    }

    static Dict Prepare(Dict message, ChatTemplateInput input, TemplateLimits limits)
    {
        foreach (var (key, value) in message.Entries.ToList())
            if (value is None) message.Remove(((Str)key).Text);
        if (ReasoningNames.Select(name => message[name]).FirstOrDefault(value => value is not null) is { } reasoning)
        {
            message.Set("reasoning_content", reasoning);
            if (message["thinking"] is null) message.Set("thinking", reasoning);
        }
        if (input.ParseToolArguments)
            foreach (var call in message["tool_calls"]?.Items ?? [])
                if (call is Dict { } outer) ParseArguments(outer["function"] as Dict ?? outer, limits);
        return message;
    }

    static void ParseArguments(Dict function, TemplateLimits limits)
    {
        if (function["arguments"] is not Str spelled) return;
        try
        {
            using var json = JsonDocument.Parse(spelled.Text, new JsonDocumentOptions { MaxDepth = limits.JsonDepth });
            if (json.RootElement.ValueKind == JsonValueKind.Object) function.Set("arguments", JsonValues.Read(json.RootElement, limits));
        }
        catch (JsonException)
        {
            // Text that spells no object is shown to the template as it came.
        }
    }

    static Dict Tagged(Dict message)
    {
        if (message["content"] is Str text) message.Set("content", WithTag(text));
        else if (message["content"] is ListValue parts && parts.Items.LastOrDefault(part => (part as Dict)?["text"] is Str) is Dict part)
            part.Set("text", WithTag((Str)part["text"]!));
        else throw NothingToContinue();
        return message;
    }

    static Str WithTag(Str text) => Str.Content(text.Text + Tag);

    static TemplateException NothingToContinue() =>
        new(TemplateFault.Input, "continue_final_message needs a last message whose content is text or holds a part of text.");
}
