using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Serving.Server;
using Serving.Server.Http;
using Serving.Server.OpenAi;
using Serving.Server.OpenApi;
using Serving.Server.Playground;

namespace Serving.Tests;

/// <summary>The document of the interface says what the server does: its routes, and the fields that are read.</summary>
public sealed partial class OpenApiTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    static readonly JsonElement Document = JsonDocument.Parse(OpenApiDocument.Text).RootElement;

    [Fact]
    public void Every_route_is_described_and_no_other()
    {
        var served = fixture.Server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<HttpMethodMetadata>() is not null && !GrpcMethod().IsMatch(e.RoutePattern.RawText!)
                && !PlaygroundEndpoint.Owns(e.RoutePattern.RawText))
            .Select(e => $"{e.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0]} {e.RoutePattern.RawText!.Replace("**", "", StringComparison.Ordinal)}");
        var described = Document.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(method => $"{method.Name.ToUpperInvariant()} {path.Name}"));
        Assert.Equal(served.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("ChatRequest", """{"model": "tiny", "messages": [{"role": "user", "content": "a"}]}""")]
    [InlineData("CompletionRequest", """{"model": "tiny", "prompt": "a"}""")]
    [InlineData("ResponseRequest", """{"model": "tiny", "input": "a"}""")]
    [InlineData("EmbeddingRequest", """{"model": "tiny", "input": "a"}""")]
    [InlineData("TokenizeRequest", """{"model": "tiny", "prompt": "a"}""")]
    [InlineData("DetokenizeRequest", """{"model": "tiny", "tokens": []}""")]
    public void Every_field_that_is_read_is_described(string schema, string body)
    {
        var (model, options) = (fixture.Server.Host.Model, fixture.Server.Services.GetRequiredService<ServerOptions>());
        var read = new RequestReader(JsonDocument.Parse(body).RootElement, "");
        string[] refused = ["suffix", "functions", "function_call", "audio", "web_search_options", "moderation", "chat_template", "documents", "previous_response_id", "conversation", "prompt", "max_tool_calls", "context_management",
            "guided_whitespace_pattern", "logits_processors", "bad_words"];
        _ = schema switch
        {
            "ChatRequest" => (object)ChatRequest.Read(read, model, options),
            "CompletionRequest" => CompletionRequest.Read(read, model, options),
            "ResponseRequest" => ResponseRequest.Read(read, model, options),
            "EmbeddingRequest" => EmbeddingRequest.Read(read, model, options),
            "TokenizeRequest" => TokenizeRequest.Tokens(read, model, options),
            _ => TokenizeRequest.Text(read, model),
        };
        var described = Document.GetProperty("components").GetProperty("schemas").GetProperty(schema).GetProperty("properties").EnumerateObject().Select(p => p.Name).ToList();
        Assert.Empty(read.Asked.Except(described).Except(refused));
        if (schema != "TokenizeRequest")
            Assert.Empty(described.Except(read.Asked));
    }

    [Fact]
    public void Every_reference_has_a_schema()
    {
        var schemas = Document.GetProperty("components").GetProperty("schemas");
        foreach (var reference in References(Document))
            Assert.True(schemas.TryGetProperty(reference["#/components/schemas/".Length..], out _), reference);
    }

    [GeneratedRegex(@"^/[a-z.]+\.v1(alpha)?\.")]
    private static partial Regex GrpcMethod();

    static IEnumerable<string> References(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().SelectMany(m => m.Name == "$ref" ? [m.Value.GetString()!] : References(m.Value)),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(References),
        _ => [],
    };
}
