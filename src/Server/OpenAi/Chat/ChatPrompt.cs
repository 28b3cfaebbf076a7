using System.Text.Json;
using Serving.Server.Http;
using Serving.Text;
using Serving.Text.Templates;

namespace Serving.Server.OpenAi;

/// <summary>A conversation as the model gets it.</summary>
/// <param name="Ids">Its tokens.</param>
/// <param name="Text">Its text.</param>
sealed record ChatPrompt(int[] Ids, string Text)
{
    /// <summary>Renders the messages of a request, with tools where it has some: what users wrote is plain text, even where it spells special tokens.</summary>
    public static ChatPrompt Read(RequestReader read, ServedModel model, ServerOptions options, ToolUse? tools, EncodingLimit limit)
    {
        if (model is not { Tokenizer: { } tokenizer, Template: { } template })
            throw ApiException.Unsupported("messages", "This model has no chat template; use /v1/completions.");
        read.Accept("chat_template");
        read.Refuse("chat_template", "documents");
        var input = new ChatTemplateInput
        {
            Messages = ChatMessages.Read(read, knowsDeveloper: template.Source.Contains("developer")),
            Tools = tools?.Json,
            AddGenerationPrompt = read.Flag("add_generation_prompt") ?? !(read.Flag("continue_final_message") ?? false),
            ContinueFinalMessage = read.Flag("continue_final_message") ?? false,
            BosToken = tokenizer.BeginOfText is { } begin ? tokenizer.Token(begin) : null,
            EosToken = (tokenizer.EndOfTurn ?? tokenizer.EndOfText) is { } end ? tokenizer.Token(end) : null,
            Variables = Variables(read),
        };
        try
        {
            if (!template.Capabilities.Tools && (tools is not null || HasCalls(input.Messages)))
                input = input with
                {
                    Messages = ToolPrompt.Rewrite(input.Messages, tools?.Json, ToolFormats.Of(template), template.Capabilities.ToolCalls),
                    Tools = null,
                };
            var chat = template.Render(input);
            return new(limit.Encode(tokenizer, [.. Parts(chat, options.ParseSpecialInContent)], addSpecial: read.Flag("add_special_tokens") ?? false), chat.Text);
        }
        catch (TemplateException error)
        {
            throw ApiException.Invalid("messages", "invalid_value", $"The chat template cannot render these messages: {error.Message}");
        }
    }

    static bool HasCalls(JsonElement messages) =>
        messages.EnumerateArray().Any(message => message.TryGetProperty("tool_calls", out _) || message.TryGetProperty("tool_call_id", out _));

    static IEnumerable<TextPart> Parts(RenderedChat chat, bool parseContent)
    {
        var at = 0;
        foreach (var range in chat.ContentRanges)
        {
            yield return new(chat.Text[at..range.Start.Value], true);
            yield return new(chat.Text[range], parseContent);
            at = range.End.Value;
        }
        yield return new(chat.Text[at..], true);
    }

    static Dictionary<string, JsonElement> Variables(RequestReader read)
    {
        var variables = read.Object("chat_template_kwargs")?.Entries().ToDictionary(e => e.Key, e => e.Value.Element) ?? [];
        foreach (var reserved in (string[])["messages", "tools", "documents"])
        {
            if (variables.ContainsKey(reserved))
                throw ApiException.Invalid("chat_template_kwargs", "invalid_value", $"'chat_template_kwargs' may not replace '{reserved}'.");
        }
        if (read.OneOf("reasoning_effort", "none", "minimal", "low", "medium", "high", "xhigh") is not null)
            variables.TryAdd("reasoning_effort", read.Find("reasoning_effort")!.Value.Element);
        return variables;
    }
}
