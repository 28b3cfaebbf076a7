using System.Text.Json;

namespace Serving.Text.Templates;

/// <summary>How a template takes the content of a message.</summary>
public enum ContentShape
{
    /// <summary>Only as text; lists of parts must be joined before.</summary>
    Text,

    /// <summary>Only as a list of parts; text must be wrapped before.</summary>
    Parts,

    /// <summary>As text or as a list of parts.</summary>
    Both,
}

/// <summary>What a template can do, learned by rendering small conversations and looking for their words in the prompt.</summary>
/// <param name="SystemRole">A system message is printed, not refused or dropped.</param>
/// <param name="Tools">Given tools are printed.</param>
/// <param name="ToolCalls">Calls of an assistant message are printed.</param>
/// <param name="Content">The shapes of content that are printed.</param>
public sealed record TemplateCapabilities(bool SystemRole, bool Tools, bool ToolCalls, ContentShape Content)
{
    const string Word = "probe7f3a";

    const string Asking = """{"role": "user", "content": "Hi"}""";

    internal static TemplateCapabilities Of(ChatTemplate template)
    {
        var parts = Prints(template, $$"""[{"role": "user", "content": [{"type": "text", "text": "{{Word}}"}]}]""", wanted: Word);
        var text = Prints(template, $$"""[{"role": "user", "content": "{{Word}}"}]""", wanted: Word);
        var hi = parts && !text ? """{"role": "user", "content": [{"type": "text", "text": "Hi"}]}""" : Asking;
        var said = parts && !text ? $$"""[{"type": "text", "text": "{{Word}}"}]""" : $"\"{Word}\"";
        var call = $$$"""
            {"role": "assistant", "content": "",
             "tool_calls": [{"id": "abcDEF123", "type": "function", "function": {"name": "{{{Word}}}", "arguments": {} } }] }
            """;
        return new TemplateCapabilities(
            Prints(template, $$"""[{"role": "system", "content": {{said}}}, {{hi}}]""", Word),
            Prints(template, $"[{hi}]", Word, Tool(Word)),
            Prints(template, $"[{hi}, {call}]", Word, Tool("other")),
            parts ? text ? ContentShape.Both : ContentShape.Parts : ContentShape.Text);
    }

    static string Tool(string name) => $$$"""
        [{"type": "function", "function": {"name": "{{{name}}}", "description": "d",
          "parameters": {"type": "object", "properties": {}, "required": [] } } }]
        """;

    /// <summary>Whether the prompt holds the word on its own, which a list printed as Python's repr does not.</summary>
    static bool Prints(ChatTemplate template, string messages, string wanted, string? tools = null)
    {
        using var conversation = JsonDocument.Parse(messages);
        using var given = tools is null ? null : JsonDocument.Parse(tools);
        try
        {
            var prompt = template.Render(new ChatTemplateInput
            {
                Messages = conversation.RootElement,
                Tools = given?.RootElement,
                BosToken = "<s>",
                EosToken = "</s>",
            }).Text;
            return prompt.Contains(wanted, StringComparison.Ordinal) && !prompt.Contains("'text': '" + wanted, StringComparison.Ordinal)
                && !prompt.Contains("\"text\": \"" + wanted, StringComparison.Ordinal);
        }
        catch (TemplateException)
        {
            return false;
        }
    }
}
