using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Google.Protobuf;
using Serving.Protos;

namespace Serving.Tests;

/// <summary>What is pushed to a collector, decoded by the wire format of opentelemetry-proto.</summary>
public sealed class OtlpTests
{
    const string Id = "otlp-tests";

    const string Parent = "0af7651916cd43dd8448eb211c80319c";

    [Fact]
    public async Task Requests_leave_spans_and_meters_their_figures()
    {
        using var collector = new Collector();
        await using (var server = await TestServer.StartAsync(o => o with { OtlpEndpoint = collector.Address }))
        {
            // Spans of all servers of the process come to all collectors; these requests are known by their ids.
            server.Client.DefaultRequestHeaders.Add("X-Request-Id", Id);
            using var traced = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
            {
                Content = new StringContent("""{"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "stream": true}""", System.Net.Http.Headers.MediaTypeHeaderValue.Parse("application/json")),
                Headers = { { "traceparent", $"00-{Parent}-b7ad6b7169203331-01" } },
            };
            using var reply = await server.SendAsync(traced);
            Assert.Contains("[DONE]", await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            using var refused = await server.PostAsync("/v1/completions", """{"model": "nobody", "prompt": "a"}""");
            Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
            await server.JsonAsync("/v1/embeddings", """{"model": "tiny", "input": "ab"}""");
            (await server.Grpc.CallAsync(GrpcClient.Generate, new GenerateRequest { Model = "tiny", Prompt = "xx", MaxTokens = 3, N = 2 }, ("x-request-id", Id))).All<GenerateReply>();
        }
        var spans = collector.Spans().Where(span => span["serving.request.id"] == Id).ToList();
        Assert.Equal(4, spans.Count);
        var chat = spans.Single(span => span.Name == "chat tiny");
        Assert.Equal(Parent, chat.Trace);
        Assert.Equal(("chat", "tiny", "serving", "stop", "14"), (chat["gen_ai.operation.name"], chat["gen_ai.request.model"], chat["gen_ai.provider.name"], chat["gen_ai.response.finish_reasons"], chat["gen_ai.usage.output_tokens"]));
        Assert.InRange(double.Parse(chat["gen_ai.server.time_to_first_token"], System.Globalization.CultureInfo.InvariantCulture), 0, 60);
        Assert.StartsWith("chatcmpl-", chat["gen_ai.response.id"]);
        Assert.Equal("model_not_found", spans.Single(span => span.Name == "text_completion")["error.type"]);
        Assert.Equal("2", spans.Single(span => span.Name == "embeddings tiny")["gen_ai.usage.input_tokens"]);
        var grpc = spans.Single(span => span.Name == "text_completion tiny");
        Assert.Equal(("length,length", "6", "2"), (grpc["gen_ai.response.finish_reasons"], grpc["gen_ai.usage.output_tokens"], grpc["gen_ai.request.choice.count"]));
        Assert.Contains("gen_ai.server.time_to_first_token", collector.Metrics());
        Assert.Contains("serving.step.duration", collector.Metrics());
    }

    [Fact]
    public async Task A_collector_that_is_not_there_holds_nothing_up()
    {
        await using var server = await TestServer.StartAsync(o => o with { OtlpEndpoint = "http://127.0.0.1:9" });
        for (var i = 0; i < 20; i++)
            await server.JsonAsync("/v1/completions", """{"model": "tiny", "prompt": "xx", "max_tokens": 3}""");
        await server.IdleAsync();
    }

    sealed record Span(string Trace, string Name, Dictionary<string, string> Attributes)
    {
        public string this[string name] => Attributes[name];
    }

    /// <summary>Takes whatever is posted.</summary>
    sealed class Collector : IDisposable
    {
        readonly HttpListener _listener = new();
        readonly ConcurrentQueue<(string Path, byte[] Body)> _got = [];

        public Collector()
        {
            for (var port = 20_000 + Environment.ProcessId % 20_000; ; port++)
            {
                try
                {
                    Address = $"http://127.0.0.1:{port}";
                    _listener.Prefixes.Clear();
                    _listener.Prefixes.Add(Address + "/");
                    _listener.Start();
                    break;
                }
                catch (HttpListenerException)
                {
                }
            }
            _ = ListenAsync();
        }

        public string Address { get; private set; } = "";

        public List<Span> Spans() => [.. from body in Bodies("/v1/traces") from resource in Fields(body, 1) from scope in Fields(resource, 2) from span in Fields(scope, 2) select Read(span)];

        public List<string> Metrics() => [.. from body in Bodies("/v1/metrics") from resource in Fields(body, 1) from scope in Fields(resource, 2) from metric in Fields(scope, 2) select Text(Fields(metric, 1)[0])];

        public void Dispose() => _listener.Close();

        IEnumerable<byte[]> Bodies(string path) => _got.Where(got => got.Path == path).Select(got => got.Body);

        async Task ListenAsync()
        {
            try
            {
                while (true)
                {
                    var context = await _listener.GetContextAsync();
                    using var body = new MemoryStream();
                    await context.Request.InputStream.CopyToAsync(body);
                    _got.Enqueue((context.Request.Url!.AbsolutePath, body.ToArray()));
                    context.Response.Close();
                }
            }
            catch (Exception error) when (error is HttpListenerException or ObjectDisposedException)
            {
            }
        }

        static Span Read(byte[] span) => new(Convert.ToHexStringLower(Fields(span, 1)[0]), Text(Fields(span, 5)[0]),
            Fields(span, 9).ToDictionary(pair => Text(Fields(pair, 1)[0]), pair => Value(Fields(pair, 2)[0])));

        /// <summary>An AnyValue: string_value, bool_value, int_value, double_value or array_value.</summary>
        static string Value(byte[] value)
        {
            var input = new CodedInputStream(value);
            return (input.ReadTag() >> 3) switch
            {
                1 => input.ReadString(),
                2 => $"{input.ReadBool()}",
                3 => $"{input.ReadInt64()}",
                4 => input.ReadDouble().ToString(System.Globalization.CultureInfo.InvariantCulture),
                5 => string.Join(',', Fields(input.ReadBytes().ToByteArray(), 1).Select(Value)),
                var other => throw new UnreachableException($"{other}"),
            };
        }

        /// <summary>The occurrences of a field that has a length.</summary>
        static List<byte[]> Fields(byte[] message, int number)
        {
            var found = new List<byte[]>();
            var input = new CodedInputStream(message);
            while (input.ReadTag() is not 0 and var tag)
            {
                if (tag == (uint)(number << 3 | 2))
                    found.Add(input.ReadBytes().ToByteArray());
                else
                    input.SkipLastField();
            }
            return found;
        }

        static string Text(byte[] bytes) => System.Text.Encoding.UTF8.GetString(bytes);
    }
}
