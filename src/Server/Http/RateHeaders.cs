using System.Globalization;
using Serving.Scheduling;

namespace Serving.Server.Http;

/// <summary>
/// The headers in which OpenAI says how much more may be asked. The limits here are those of what may wait: requests and prompt tokens of a caller,
/// and when all that waits now will have begun.
/// </summary>
static class RateHeaders
{
    public static void Write(IHeaderDictionary headers, QueueRoom room)
    {
        var reset = $"{Math.Ceiling(room.Wait.TotalMilliseconds).ToString(CultureInfo.InvariantCulture)}ms";
        Write(headers, "requests", room.Requests, room.MostRequests, reset);
        Write(headers, "tokens", room.Tokens, room.MostTokens, reset);
    }

    static void Write(IHeaderDictionary headers, string what, long waiting, long most, string reset)
    {
        headers["x-ratelimit-limit-" + what] = most.ToString(CultureInfo.InvariantCulture);
        headers["x-ratelimit-remaining-" + what] = Math.Max(0, most - waiting).ToString(CultureInfo.InvariantCulture);
        headers["x-ratelimit-reset-" + what] = reset;
    }
}
