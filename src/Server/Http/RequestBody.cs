using System.Net.Http.Headers;
using System.Text.Json;

namespace Serving.Server.Http;

/// <summary>Reads a request's JSON object: content type, size, depth and syntax are checked before any field is looked at.</summary>
static class RequestBody
{
    /// <summary>Deeper nesting than any request or schema in use, and far from the stack's end.</summary>
    public const int MaxDepth = 64;

    public static async Task<RequestReader> ReadAsync(HttpContext http)
    {
        CheckType(http.Request.ContentType);
        if (http.Request.Headers.ContentEncoding.ToString() is { Length: > 0 } coding && !coding.Equals("identity", StringComparison.OrdinalIgnoreCase))
            throw ApiException.Packed(coding);
        try
        {
            var document = await JsonDocument.ParseAsync(http.Request.Body, new() { MaxDepth = MaxDepth }, http.RequestAborted);
            http.Response.RegisterForDispose(document);
            return new RequestValue(document.RootElement, "").AsObject();
        }
        catch (JsonException error)
        {
            throw ApiException.Malformed(
                $"The request body is not JSON that can be read: line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}"
                + $" (nesting is allowed up to {MaxDepth} levels).");
        }
    }

    static void CheckType(string? contentType)
    {
        if (!MediaTypeHeaderValue.TryParse(contentType, out var type)
            || !"application/json".Equals(type.MediaType, StringComparison.OrdinalIgnoreCase)
            || type.CharSet is { } charset && !charset.Trim('"').Equals("utf-8", StringComparison.OrdinalIgnoreCase))
            throw ApiException.NotJson(contentType);
    }
}
