using Serving.Server.Http;
using Serving.Text;

namespace Serving.Server.OpenAi;

/// <summary>The requests of POST /tokenize and /detokenize, in vLLM's form.</summary>
static class TokenizeRequest
{
    public static TokenizeReply Tokens(RequestReader read, ServedModel model, ServerOptions options)
    {
        var tokenizer = TokenizerOf(read, model);
        if (read.Has("prompt") == read.Has("messages"))
            throw read.Has("prompt")
                ? ApiException.Invalid("messages", "invalid_parameter_combination", "Give 'prompt' or 'messages', not both.")
                : ApiException.Missing("prompt");
        var ids = read.String("prompt") is { } prompt
            ? tokenizer.Encode(prompt, addSpecial: read.Flag("add_special_tokens") ?? true, parseSpecial: true)
            : ChatPrompt.Read(read, model, options, tools: null).Ids;
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

    static Tokenizer TokenizerOf(RequestReader read, ServedModel model)
    {
        if (read.String("model") is { } name)
            model.CheckName(name);
        return model.Tokenizer ?? throw ApiException.Unsupported("model", "This model has no tokenizer: it takes and gives token ids alone.");
    }
}
