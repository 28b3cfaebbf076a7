using Serving.Server.Http;
using Serving.Text;

namespace Serving.Server.OpenAi;

/// <summary>The requests of POST /tokenize and /detokenize, in vLLM's form.</summary>
static class TokenizeRequest
{
    /// <summary>Most tokens of a text: what a request may cost is bounded, whatever the context.</summary>
    const int MostTokens = 1 << 20;

    public static TokenizeReply Tokens(RequestReader read, ServedModel model, ServerOptions options)
    {
        var tokenizer = TokenizerOf(read, model);
        if (read.Has("prompt") == read.Has("messages"))
            throw read.Has("prompt")
                ? ApiException.Invalid("messages", "invalid_parameter_combination", "Give 'prompt' or 'messages', not both.")
                : ApiException.Missing("prompt");
        var ids = read.String("prompt") is { } prompt
            ? Limit("prompt").Encode(tokenizer, [new(prompt, true)], addSpecial: read.Flag("add_special_tokens") ?? true)
            : ChatPrompt.Read(read, model, options, tools: null, Limit("messages")).Ids;
        return new(ids.Length, model.MaxLength, ids)
        {
            TokenStrs = read.Flag("return_token_strs") == true ? [.. ids.Select(tokenizer.Token)] : null,
        };
    }

    public static DetokenizeReply Text(RequestReader read, ServedModel model)
    {
        var tokenizer = TokenizerOf(read, model);
        int[] ids = [.. read.Required("tokens").AsList(0, int.MaxValue).Select(model.TokenId)];
        return new(tokenizer.Decode(ids, skipSpecial: read.Flag("skip_special_tokens") ?? false));
    }

    static EncodingLimit Limit(string param) => new(MostTokens, () => ApiException.Invalid(
        param, "string_above_max_length", $"'{param}' has more than {MostTokens} tokens; send the text in parts."));

    static Tokenizer TokenizerOf(RequestReader read, ServedModel model)
    {
        if (read.String("model") is { } name)
            model.CheckName(name);
        return model.Tokenizer ?? throw ApiException.Unsupported("model", "This model has no tokenizer: it takes and gives token ids alone.");
    }
}
