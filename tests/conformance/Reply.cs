using System.Text.Json;

namespace Serving.Conformance;

/// <summary>What a server sent, read to its end.</summary>
public sealed record Reply(int Status, IReadOnlyDictionary<string, string> Headers, string Body)
{
    static readonly string[] EnvelopeMembers = ["code", "message", "param", "type"];

    /// <summary>The body as JSON.</summary>
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>A member of the body by path, as in <c>choices.0.message</c>.</summary>
    public JsonElement this[string path] => Json.At(path);

    /// <summary>A header, or a failure.</summary>
    public string Header(string name) =>
        Headers.TryGetValue(name, out var value) ? value : throw new InvalidOperationException($"No header {name} came with {Status}: {Body}");

    /// <summary>The events of a stream that ended in order.</summary>
    public IReadOnlyList<JsonElement> Events()
    {
        Assert.Equal("text/event-stream; charset=utf-8", Header("Content-Type"));
        var frames = Body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(frame => !frame.StartsWith(':')).ToArray();
        Assert.Equal("data: [DONE]", frames[^1]);
        return [.. frames[..^1].Select(frame => JsonDocument.Parse(frame["data: ".Length..]).RootElement)];
    }

    /// <summary>Checks the status and what every reply must have.</summary>
    public Reply CheckStatus(int status)
    {
        Assert.True(Status == status, $"{Status} instead of {status}: {Body}");
        Assert.Matches("^[A-Za-z0-9._-]{1,128}$", Header("x-request-id"));
        return this;
    }

    /// <summary>Checks a refusal: status, envelope, type, param, code.</summary>
    public Reply CheckRefused(int status, string? param, string? code)
    {
        CheckStatus(status);
        Assert.StartsWith("application/json", Header("Content-Type"));
        Assert.Equal("error", Assert.Single(Json.EnumerateObject()).Name);
        var error = this["error"];
        Assert.Equal(EnvelopeMembers, error.EnumerateObject().Select(m => m.Name).Order(StringComparer.Ordinal));
        Assert.Equal((TypeOf(status), param, code), (error.Text("type"), error.Text("param"), error.Text("code")));
        Assert.NotEmpty(error.Text("message")!);
        return this;
    }

    /// <summary>Checks that a refusal's message has a text.</summary>
    public Reply CheckMessage(string text)
    {
        Assert.Contains(text, text.Length == 0 ? "" : this["error"].Text("message"));
        return this;
    }

    static string TypeOf(int status) => status switch
    {
        403 => "permission_error",
        408 => "timeout_error",
        429 => "rate_limit_error",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    };
}

/// <summary>Short ways into JSON.</summary>
static class Members
{
    /// <summary>A member by path; a failure names what is there.</summary>
    public static JsonElement At(this JsonElement json, string path)
    {
        foreach (var name in path.Split('.'))
        {
            if (json.ValueKind == JsonValueKind.Array && int.TryParse(name, out var index) && index < json.GetArrayLength())
                json = json[index];
            else if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty(name, out json))
                Assert.Fail($"No {path} in {json}");
        }
        return json;
    }

    /// <summary>A string member, null where it is null.</summary>
    public static string? Text(this JsonElement json, string path) => json.At(path).GetString();

    /// <summary>A number member.</summary>
    public static int Number(this JsonElement json, string path) => json.At(path).GetInt32();

    /// <summary>Whether the object has a member.</summary>
    public static bool Has(this JsonElement json, string name) => json.TryGetProperty(name, out _);
}
