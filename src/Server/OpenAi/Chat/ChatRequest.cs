using System.Text.Json;
using Serving.Scheduling;
using Serving.Server.Http;
using Serving.Text;
using Serving.Text.Templates;

namespace Serving.Server.OpenAi;

/// <summary>A request of POST /v1/chat/completions, checked: what to generate, and how to reply.</summary>
sealed record ChatRequest(string Model, GenerationFields Fields, GenerationRequest Generation, bool Logprobs)
{
    public static ChatRequest Read(RequestReader read, ServedModel model, ServerOptions options)
    {
        var name = read.Required("model").AsString();
        model.CheckName(name);
        RefuseUnserved(read);
        var fields = GenerationFields.Read(read, model, options);
        var logprobs = read.Flag("logprobs") ?? false;
        var top = read.Integer("top_logprobs", 0, options.MaxLogprobs);
        if (top is not null && !logprobs)
            throw ApiException.Invalid("top_logprobs", "invalid_value", "'top_logprobs' is only allowed when 'logprobs' is true.");
        var prompt = PromptOf(read, model, options);
        var asked = MaxTokens(read);
        var room = new ContextRoom(model, options.ClampMaxTokens, "messages");
        prompt = room.Truncated(prompt, fields.TruncatesPrompt, asked);
        var generation = fields.Generation(prompt, logprobs ? top ?? 0 : null) with { MaxTokens = room.Answer(prompt.Length, asked, null) };
        if (fields.Shape?.Compile(model) is { } grammar)
            generation = fields.Constrained(generation, grammar, model);
        return new(name, fields, generation, logprobs);
    }

    /// <summary>The tokens of a conversation: what users wrote is plain text, even where it spells special tokens.</summary>
    public static int[] PromptOf(RequestReader read, ServedModel model, ServerOptions options)
    {
        if (model is not { Tokenizer: { } tokenizer, Template: { } template })
            throw ApiException.Unsupported("messages", "This model has no chat template; use /v1/completions.");
        read.Accept("chat_template");
        read.Refuse("chat_template", "documents");
        var input = new ChatTemplateInput
        {
            Messages = ChatMessages.Read(read, knowsDeveloper: template.Source.Contains("developer")),
            AddGenerationPrompt = read.Flag("add_generation_prompt") ?? !(read.Flag("continue_final_message") ?? false),
            ContinueFinalMessage = read.Flag("continue_final_message") ?? false,
            BosToken = tokenizer.BeginOfText is { } begin ? tokenizer.Token(begin) : null,
            EosToken = (tokenizer.EndOfTurn ?? tokenizer.EndOfText) is { } end ? tokenizer.Token(end) : null,
            Variables = Variables(read),
        };
        try
        {
            var chat = template.Render(input);
            return tokenizer.Encode([.. Parts(chat, options.ParseSpecialInContent)], addSpecial: read.Flag("add_special_tokens") ?? false);
        }
        catch (TemplateException error)
        {
            throw ApiException.Invalid("messages", "invalid_value", $"The chat template cannot render these messages: {error.Message}");
        }
    }

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

    static int? MaxTokens(RequestReader read)
    {
        var (current, old) = (read.Integer("max_completion_tokens", 1), read.Integer("max_tokens", 1));
        return current is { } a && old is { } b && a != b
            ? throw ApiException.Invalid("max_tokens", "invalid_parameter_combination",
                $"'max_tokens' is {b} and 'max_completion_tokens' is {a}; give one of them.")
            : current ?? old;
    }

    static void RefuseUnserved(RequestReader read)
    {
        read.Refuse("tools", "functions", "function_call", "audio", "web_search_options", "moderation");
        read.Accept("prediction", "store", "parallel_tool_calls");
        read.OneOf("verbosity", "low", "medium", "high");
        read.OneOf("service_tier", "auto", "default", "flex", "priority", "scale");
        if (read.Find("tool_choice") is { } choice && !(choice.IsString && choice.AsString() == "none"))
            throw ApiException.Unsupported("tool_choice", "Unsupported parameter: 'tool_choice' is not served by this server.");
        foreach (var modality in read.List("modalities", 1, 8) ?? [])
        {
            if (modality.AsString() is not "text")
                throw ApiException.Invalid("modalities", "unsupported_value", "'modalities' may hold 'text' alone.");
        }
        if (read.Object("metadata") is { } metadata)
            CheckMetadata(metadata);
    }

    static void CheckMetadata(RequestReader metadata)
    {
        var count = 0;
        foreach (var (key, value) in metadata.Entries())
        {
            value.AsString(maxLength: 512);
            if (++count > 16 || key.Length > 64)
                throw ApiException.Invalid("metadata", "invalid_value", "'metadata' holds at most 16 keys of at most 64 characters.");
        }
    }
}
