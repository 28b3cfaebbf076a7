using System.Collections.Immutable;
using System.Text.Json;
using Serving.Scheduling;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>A prompt as it was given and as tokens.</summary>
sealed record PromptText(int[] Ids, string? Text);

/// <summary>A request of POST /v1/completions, checked: what to generate for each prompt, and how to reply.</summary>
sealed record CompletionRequest(string Model, GenerationFields Fields, ImmutableArray<PromptText> Prompts, ImmutableArray<GenerationRequest> Generations)
{
    const int MaxPrompts = 2048;
    const int DefaultMaxTokens = 16;

    public int? Logprobs { get; init; }

    public bool Echoes { get; init; }

    public static CompletionRequest Read(RequestReader read, ServedModel model, ServerOptions options)
    {
        var name = read.Required("model").AsString();
        model.CheckName(name);
        read.Refuse("suffix");
        if (read.Object("response_format") is { } format && format.Required("type").AsString() is not "text")
            throw ApiException.Unsupported("response_format", "Unsupported parameter: 'response_format' is not served for text completions.");
        var fields = GenerationFields.Read(read, model, options);
        var drawn = BestOf(read, fields, options);
        var logprobs = read.Integer("logprobs", 0, options.MaxLogprobs);
        var echoes = read.Flag("echo") ?? false;
        var asked = read.Integer("max_tokens", 0);
        var room = new ContextRoom(model, options.ClampMaxTokens, "prompt");
        var prompts = ReadPrompts(read, model).Select(p => room.Truncated(p.Ids, fields.TruncatesPrompt, asked) is var ids && ids != p.Ids
            ? new PromptText(ids, null)
            : p).ToImmutableArray();
        var generations = prompts.Select(prompt => fields.Generation(prompt.Ids, drawn > fields.Choices ? logprobs ?? 0 : logprobs) with
        {
            Choices = drawn,
            MaxTokens = room.Answer(prompt.Ids.Length, asked, DefaultMaxTokens),
            PromptLogprobs = echoes && logprobs is { } wanted ? Math.Max(wanted, fields.PromptLogprobs ?? 0) : fields.PromptLogprobs,
        });
        return new(name, fields, prompts, [.. generations]) { Logprobs = logprobs, Echoes = echoes };
    }

    static int BestOf(RequestReader read, GenerationFields fields, ServerOptions options)
    {
        if (read.Integer("best_of", 0, Math.Min(20, options.MaxChoices)) is not { } drawn)
            return fields.Choices;
        if (drawn < fields.Choices)
            throw ApiException.Invalid("best_of", "invalid_value", $"'best_of' is {drawn}; it must be at least 'n', which is {fields.Choices}.");
        return drawn == fields.Choices || !fields.Streams ? drawn : throw ApiException.Invalid("best_of", "invalid_value",
            "'best_of' above 'n' cannot be streamed: the best are known at the end.");
    }

    static IEnumerable<PromptText> ReadPrompts(RequestReader read, ServedModel model)
    {
        var prompt = read.Required("prompt");
        if (prompt.IsString)
            return [Encoded(prompt, read, model)];
        if (!prompt.IsList)
            throw prompt.WrongType("a string, a list of strings, a list of token ids or a list of such lists");
        var items = prompt.AsList(1, int.MaxValue);
        if (items.First().IsNumber)
            return [new([.. items.Select(model.TokenId)], null)];
        return prompt.AsList(1, MaxPrompts).Select(item => item.IsList
            ? new([.. item.AsList(1, int.MaxValue).Select(model.TokenId)], null)
            : Encoded(item, read, model));
    }

    static PromptText Encoded(RequestValue value, RequestReader read, ServedModel model)
    {
        var text = value.AsString();
        if (model.Tokenizer is not { } tokenizer)
            throw ApiException.Invalid(value.Path, "unsupported_value", $"'{value.Path}' is text, but this model has no tokenizer; send token ids.");
        var ids = tokenizer.Encode(text, addSpecial: read.Flag("add_special_tokens") ?? true, parseSpecial: true);
        return ids.Length > 0 ? new(ids, text) : throw ApiException.Invalid(value.Path, "empty_string",
            $"'{value.Path}' has no tokens; a prompt must have at least one.");
    }
}
