using Serving.Server.Http;
using Serving.Text;

namespace Serving.Server.OpenAi;

/// <summary>How many tokens a text of a request may become; one that would be more is refused before all of it is tokenized.</summary>
/// <param name="Most">The greatest number.</param>
/// <param name="TooLong">What the client is told.</param>
sealed record EncodingLimit(int Most, Func<ApiException> TooLong)
{
    public int[] Encode(Tokenizer tokenizer, ReadOnlySpan<TextPart> parts, bool addSpecial) =>
        tokenizer.EncodeAtMost(Most, parts, addSpecial) ?? throw TooLong();
}
