using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Serving.Server.Http;

/// <summary>The body of every error.</summary>
sealed record ErrorBody(ErrorDetail Error)
{
    public static ErrorBody Of(ApiError error) => new(new ErrorDetail(error.Message, error.Type, error.Param, error.Code));
}

/// <summary>The members of an error; all four are always written.</summary>
sealed record ErrorDetail(string Message, string Type, string? Param, string? Code);

/// <summary>What a health route says.</summary>
sealed record HealthBody(string Status);

/// <summary>What the version route says.</summary>
sealed record VersionBody(string Version);

/// <summary>Serialisation of bodies that belong to no protocol.</summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(ErrorBody))]
[JsonSerializable(typeof(HealthBody))]
[JsonSerializable(typeof(VersionBody))]
sealed partial class HttpJson : JsonSerializerContext
{
    /// <summary>The context in use: bodies are JSON and never HTML, so only what JSON itself asks for is escaped, and people can read errors.</summary>
    public static HttpJson Plain { get; } = new(new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
