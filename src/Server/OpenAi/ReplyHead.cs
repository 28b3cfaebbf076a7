using System.Text.Json;
using Serving.Scheduling;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>What all parts of a reply have in common.</summary>
sealed record ReplyHead(string Id, long Created, string Model, string Fingerprint)
{
    static readonly JsonElement Null = JsonElement.Parse("null"u8);

    public static ReplyHead Of(string prefix, GenerationFields fields, string model, ReplyServices services) => new(
        prefix + (fields.RequestId ?? Guid.NewGuid().ToString("N")), services.Time.GetUtcNow().ToUnixTimeSeconds(), model,
        services.Host.Model.Fingerprint);

    /// <summary>The usage member of a chunk: absent, null, or the figures.</summary>
    public static JsonElement? UsageOf(GenerationFields fields, Usage? usage) =>
        !fields.IncludesUsage ? null : usage is null ? Null : ElementOf(usage);

    public static JsonElement ElementOf(Usage usage) => JsonSerializer.SerializeToElement(usage, OpenAiJson.Plain.Usage);
}

/// <summary>What every endpoint of the protocol works with.</summary>
sealed record ReplyServices(EngineHost Host, ServerOptions Options, TimeProvider Time, ServerMetrics Metrics)
{
    const int MaxNamed = 16;

    /// <summary>A stream of events to a request's client.</summary>
    public EventStream Stream(HttpContext http) => new(http, Options.UnreadTime, Time);

    /// <summary>Refuses or names the fields that a client sent in vain.</summary>
    public void ReportUnread(RequestReader read, HttpContext http)
    {
        var unread = read.Unread().ToList();
        if (unread.Count == 0)
            return;
        if (Options.StrictParameters)
            throw ApiException.Invalid(unread[0], "unknown_parameter", $"Unknown parameter: '{RequestValue.Shortened(unread[0])}'.");
        Metrics.Ignored(unread.Count);
        http.Response.Headers["x-ignored-parameters"] = string.Join(", ", unread.Take(MaxNamed).Select(Printable));
    }

    /// <summary>
    /// A request with its caller's name: the prefixes of different keys are kept apart, keys take turns, and none goes before another by a
    /// priority of its own making.
    /// </summary>
    public static GenerationRequest Signed(GenerationRequest request, HttpContext http) => http.Features.Get<Caller>() is { } caller
        ? request with { CacheSalt = caller.Salt(request.CacheSalt), Caller = caller.Id, Priority = Math.Max(0, request.Priority) }
        : request;

    /// <summary>A signed request on its way into the engine; over HTTP its reply tells what else its caller may let wait.</summary>
    public GenerationRequest Admitted(GenerationRequest request, HttpContext http)
    {
        var signed = Signed(request, http);
        if (!http.Response.HasStarted)
            RateHeaders.Write(http.Response.Headers, Host.Model.Engine.RoomOf(signed.Caller));
        return signed;
    }

    static string Printable(string path) =>
        string.Create(Math.Min(path.Length, 64), path, (name, p) =>
        {
            for (var i = 0; i < name.Length; i++)
                name[i] = char.IsAsciiLetterOrDigit(p[i]) || "_-.[]".Contains(p[i]) ? p[i] : '?';
        });
}
