using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>A prompt as it was given and as tokens.</summary>
sealed record PromptText(int[] Ids, string? Text)
{
    const int MaxPrompts = 2048;

    /// <summary>
    /// The prompts of a field that may be a string, token ids, or a list of either. An empty text may be a prompt where the tokenizer begins
    /// texts with a token of its own.
    /// </summary>
    public static IEnumerable<PromptText> ReadAll(RequestReader read, string name, ServedModel model, bool mayBeEmpty, EncodingLimit limit)
    {
        var prompt = read.Required(name);
        if (prompt.IsString)
            return [Encoded(prompt, read, model, mayBeEmpty, limit)];
        if (!prompt.IsList)
            throw prompt.WrongType("a string, a list of strings, a list of token ids or a list of such lists");
        var items = prompt.AsList(1, int.MaxValue);
        if (items.First().IsNumber)
            return [new([.. items.Select(model.TokenId)], null)];
        return prompt.AsList(1, MaxPrompts).Select(item => item.IsList
            ? new([.. item.AsList(1, int.MaxValue).Select(model.TokenId)], null)
            : Encoded(item, read, model, mayBeEmpty, limit));
    }

    static PromptText Encoded(RequestValue value, RequestReader read, ServedModel model, bool mayBeEmpty, EncodingLimit limit)
    {
        var text = value.AsString();
        if (model.Tokenizer is not { } tokenizer)
            throw ApiException.Invalid(value.Path, "unsupported_value", $"'{value.Path}' is text, but this model has no tokenizer; send token ids.");
        var ids = limit.Encode(tokenizer, [new(text, true)], addSpecial: read.Flag("add_special_tokens") ?? true);
        return ids.Length > 0 && (mayBeEmpty || text.Length > 0) ? new(ids, text) : throw ApiException.Invalid(value.Path, "empty_string",
            $"'{value.Path}' is empty; it must have at least one token.");
    }
}
