using System.Text;

namespace Serving.Conformance;

/// <summary>A server under test: where it is, and what its model is called.</summary>
public sealed class Target(Uri url, string model) : IDisposable
{
    /// <summary>The key of a server that wants one.</summary>
    public const string Key = "conformance-key";

    /// <summary>Stands for the model's name in bodies and paths.</summary>
    public const string ModelMark = "$MODEL";

    /// <summary>A client without any handling of its own.</summary>
    public HttpClient Client { get; } = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = url, Timeout = TimeSpan.FromMinutes(2) };

    /// <summary>The model's name.</summary>
    public string Model { get; } = model;

    /// <summary>Sends a GET.</summary>
    public Task<Reply> GetAsync(string path, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, null, headers);

    /// <summary>Sends a JSON body.</summary>
    public Task<Reply> PostAsync(string path, string body, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Post, path, body, headers);

    /// <summary>Sends a request and reads the reply to its end.</summary>
    public async Task<Reply> SendAsync(HttpMethod method, string path, string? body, (string Name, string Value)[] headers, string type = "application/json")
    {
        using var reply = await Client.SendAsync(Message(method, path, body, headers, type), TestContext.Current.CancellationToken);
        var text = await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return new((int)reply.StatusCode, reply.Headers.Concat(reply.Content.Headers)
            .ToDictionary(h => h.Key, h => string.Join(", ", h.Value), StringComparer.OrdinalIgnoreCase), text);
    }

    /// <summary>A request whose body names this server's model.</summary>
    public HttpRequestMessage Message(HttpMethod method, string path, string? body, (string Name, string Value)[] headers, string type = "application/json")
    {
        var request = new HttpRequestMessage(method, new Uri(path.Replace(ModelMark, Model, StringComparison.Ordinal), UriKind.Relative));
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body.Replace(ModelMark, Model, StringComparison.Ordinal)));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        }
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    /// <inheritdoc/>
    public void Dispose() => Client.Dispose();
}
