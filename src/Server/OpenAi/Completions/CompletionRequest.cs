using System.Collections.Immutable;
using Serving.Scheduling;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>A request of POST /v1/completions, checked: what to generate for each prompt, and how to reply.</summary>
sealed record CompletionRequest(string Model, GenerationFields Fields, ImmutableArray<PromptText> Prompts, ImmutableArray<GenerationRequest> Generations)
{
    const int DefaultMaxTokens = 16;

    public int? Logprobs { get; init; }

    public bool Echoes { get; init; }

    public static CompletionRequest Read(RequestReader read, ServedModel model, ServerOptions options)
    {
        var name = read.Required("model").AsString();
        model.CheckName(name);
        read.Refuse("suffix");
        var fields = GenerationFields.Read(read, model, options);
        var drawn = BestOf(read, fields, options);
        var logprobs = read.Integer("logprobs", 0, options.MaxLogprobs);
        var echoes = read.Flag("echo") ?? false;
        var asked = read.Integer("max_tokens", 0);
        var room = new ContextRoom(model, options.ClampMaxTokens, "prompt");
        var prompts = PromptText.ReadAll(read, "prompt", model, mayBeEmpty: true, room.Limit(fields.TruncatesPrompt)).Select(p => room.Truncated(p.Ids, fields.TruncatesPrompt, asked) is var ids && ids != p.Ids
            ? new PromptText(ids, null)
            : p).ToImmutableArray();
        var generations = prompts.Select(prompt => fields.Generation(prompt.Ids, drawn > fields.Choices ? logprobs ?? 0 : logprobs) with
        {
            Choices = drawn,
            MaxTokens = room.Answer(prompt.Ids.Length, asked, DefaultMaxTokens),
            PromptLogprobs = echoes && logprobs is { } wanted ? Math.Max(wanted, fields.PromptLogprobs ?? 0) : fields.PromptLogprobs,
        });
        if (fields.Shape?.Compile(model) is { } grammar)
            generations = generations.Select(generation => fields.Constrained(generation, grammar, model));
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
}
