using Serving.Scheduling;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>A request of POST /v1/chat/completions, checked: what to generate, and how to reply.</summary>
sealed record ChatRequest(string Model, GenerationFields Fields, GenerationRequest Generation, bool Logprobs)
{
    /// <summary>The tools that may be called; null for none.</summary>
    public ToolUse? Tools { get; init; }

    /// <summary>The tags of thoughts; null where the model's template has none.</summary>
    public ReasoningTags? Reasoning { get; init; }

    /// <summary>Whether the prompt ends within a thought.</summary>
    public bool IsThinking { get; init; }

    /// <summary>What splits one answer into its parts.</summary>
    public AnswerReader NewReader() => new(
        Reasoning is null ? null : new(Reasoning, IsThinking), Tools is null ? null : new(Tools.Format, Tools.Callable, Tools.Parallel && !Tools.IsNamed));

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
        var tools = ToolUse.Read(read, model.Template);
        var room = new ContextRoom(model, options.ClampMaxTokens, "messages");
        var (ids, text) = ChatPrompt.Read(read, model, options, tools, room.Limit(fields.TruncatesPrompt));
        var tags = model.Template is { } template ? ReasoningTags.Of(template.Source) : null;
        if (tools is not null || tags is not null)
            fields = fields with { Shown = ToolUse.Shown(model.Tokenizer!, tools?.Format, tags) };
        var asked = MaxTokens(read);
        var prompt = room.Truncated(ids, fields.TruncatesPrompt, asked);
        var generation = fields.Generation(prompt, logprobs ? top ?? 0 : null) with { MaxTokens = room.Answer(prompt.Length, asked, null) };
        var isThinking = tags?.IsOpenAt(text) ?? false;
        if (HeldAnswer.Of(fields.Shape, tools, tags, isThinking)?.Compile(model) is { } grammar)
            generation = fields.Constrained(generation, grammar, model);
        return new(name, fields, generation, logprobs) { Tools = tools, Reasoning = tags, IsThinking = isThinking };
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
        read.Refuse("functions", "function_call", "audio", "web_search_options", "moderation");
        read.Accept("prediction", "store");
        read.OneOf("verbosity", "low", "medium", "high");
        read.OneOf("service_tier", "auto", "default", "flex", "priority", "scale");
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
