using Serving.Server.Http;
using Serving.Text;

namespace Serving.Server.OpenAi;

/// <summary>Fits a prompt and the answer asked for into the context, or says with both numbers why they do not fit.</summary>
/// <param name="Model">Whose context.</param>
/// <param name="Clamps">Whether an answer that is too long is shortened.</param>
/// <param name="Param">The field that holds the prompt.</param>
readonly record struct ContextRoom(ServedModel Model, bool Clamps, string Param)
{
    /// <summary>How much of a prompt is read: all of it where its last tokens are kept, else enough to say how long one is that is not far over the context.</summary>
    public EncodingLimit Limit(int? keep)
    {
        var (param, context) = (Param, Model.MaxLength);
        var most = keep is null ? (int)Math.Min(2L * context, int.MaxValue) : int.MaxValue;
        return new(most, () => ApiException.TooLong(param,
            $"The prompt has more than {most} tokens, but this model's context holds {context} with the answer. Shorten the prompt."));
    }

    /// <summary>The last tokens of a prompt, where the request wants it cut.</summary>
    public int[] Truncated(int[] prompt, int? keep, int? answer) => keep switch
    {
        null => prompt,
        < 0 => Last(prompt, Math.Max(1, Model.MaxLength - Math.Max(1, answer ?? 1))),
        { } tokens => Last(prompt, Math.Max(1, tokens)),
    };

    /// <summary>How long an answer may be: what was asked for, else a default as far as it fits; null for the rest of the context.</summary>
    public int? Answer(int prompt, int? asked, int? fallback)
    {
        var room = Model.MaxLength - prompt;
        if (room < 0 || (room == 0 && asked != 0))
            throw ApiException.TooLong(Param,
                $"The prompt has {prompt} tokens, but this model's context holds {Model.MaxLength} with the answer. Shorten the prompt.");
        if (asked is not { } wanted)
            return fallback is { } usual ? Math.Min(usual, room) : null;
        if (wanted <= room || Clamps)
            return Math.Min(wanted, room);
        throw ApiException.TooLong(Param, $"This model's context holds {Model.MaxLength} tokens, but {prompt + (long)wanted} were requested:"
            + $" {prompt} in the prompt and {wanted} for the answer. Shorten either.");
    }

    static int[] Last(int[] prompt, int tokens) => prompt.Length <= tokens ? prompt : prompt[^tokens..];
}

/// <summary>How many tokens a text of a request may become; one that would be more is refused before all of it is tokenized.</summary>
/// <param name="Most">The greatest number.</param>
/// <param name="TooLong">What the client is told.</param>
sealed record EncodingLimit(int Most, Func<ApiException> TooLong)
{
    public int[] Encode(Tokenizer tokenizer, ReadOnlySpan<TextPart> parts, bool addSpecial) =>
        tokenizer.EncodeAtMost(Most, parts, addSpecial) ?? throw TooLong();
}
