using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Serving.Server.Bench;

/// <summary>What a client saw of one request, in seconds.</summary>
/// <param name="Status">The reply's status; 0 where there was none.</param>
/// <param name="FirstToken">From sending to the first text; null where none came.</param>
/// <param name="Gaps">Between one piece of text and the next.</param>
/// <param name="Whole">From sending to the end.</param>
/// <param name="Tokens">Tokens that the server counted in the answer.</param>
/// <param name="RetryAfter">After how long a refusal said to come back; null where it did not.</param>
/// <param name="Ended">When the reply ended, since the bench's start.</param>
sealed record Seen(int Status, double? FirstToken, IReadOnlyList<double> Gaps, double Whole, int Tokens, double? RetryAfter, double Ended);

/// <summary>A client of a server that is measured: one streamed chat after the other or beside it.</summary>
sealed class BenchClient(Uri url, string model, int maxTokens, int seed) : IDisposable
{
    /// <summary>What people ask; short and long, of one sentence and of several.</summary>
    static readonly string[] Prompts =
    [
        "List three fruits.", "Write a short poem about the sea.", "Explain why the sky is blue to a child of six.",
        "What is the difference between a list and a tuple in Python?", "Give me a recipe for pancakes with the amounts for four people.",
        "Summarise the story of Romeo and Juliet in three sentences.", "Translate 'good morning, how are you today?' into French and Spanish.",
        "I have a job interview tomorrow for a position as a nurse. Which questions should I expect, and how might I answer them?",
        "Name the planets of the solar system in the order of their distance from the sun.", "Write a polite letter to my landlord about a broken window.",
        "How does a bicycle stay upright while it moves? Keep it short and use no formulas.", "Suggest a name for a small bakery in a harbour town.",
        "Plan a weekend in Lisbon for two people who like music and dislike crowds, with one thing for each morning, afternoon and evening.",
        "Why do leaves change their colour in autumn?", "Rewrite this more kindly: 'You are late again and nobody is surprised.'",
        "Tell me a story about a fox who learns to read, and let it end well.",
    ];

    readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = 4096 }) { BaseAddress = url, Timeout = Timeout.InfiniteTimeSpan };
    readonly long _started = Stopwatch.GetTimestamp();

    /// <summary>Seconds since the bench began.</summary>
    public double Now => Stopwatch.GetElapsedTime(_started).TotalSeconds;

    /// <summary>Sends request <paramref name="number"/> and reads its stream to the end.</summary>
    public async Task<Seen> AskAsync(int number, CancellationToken cancellation)
    {
        var sent = Now;
        double? first = null;
        var (gaps, last, tokens) = (new List<double>(), 0.0, 0);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = JsonContent.Create(Body(number), ServeBenchJson.Default.BenchAsk) };
            using var reply = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            if (reply.StatusCode != HttpStatusCode.OK)
                return new((int)reply.StatusCode, null, [], Now - sent, 0, reply.Headers.RetryAfter?.Delta?.TotalSeconds, Now);
            using var lines = new StreamReader(await reply.Content.ReadAsStreamAsync(cancellation));
            while (await lines.ReadLineAsync(cancellation) is { } line && line != "data: [DONE]")
            {
                if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
                using var chunk = JsonDocument.Parse(line.AsMemory("data: ".Length));
                if (chunk.RootElement.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object)
                    tokens = usage.GetProperty("completion_tokens").GetInt32();
                if (!HasText(chunk.RootElement)) continue;
                if (first is null) first = Now - sent;
                else gaps.Add(Now - last);
                last = Now;
            }
            return new(200, first, gaps, Now - sent, tokens, null, Now);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or JsonException)
        {
            return new(0, first, gaps, Now - sent, tokens, null, Now);
        }
    }

    public void Dispose() => _http.Dispose();

    BenchAsk Body(int number) => new(model, [new("user", Prompts[number % Prompts.Length] + $" ({number})")], maxTokens, 0.7, unchecked(seed + number), true, new(true));

    static bool HasText(JsonElement chunk) =>
        chunk.TryGetProperty("choices", out var choices) && choices.GetArrayLength() > 0
        && choices[0].GetProperty("delta").TryGetProperty("content", out var content) && content.ValueKind == JsonValueKind.String && content.GetString()!.Length > 0;
}

/// <summary>The body of a request of the bench.</summary>
sealed record BenchAsk(string Model, BenchMessage[] Messages, int MaxTokens, double Temperature, int Seed, bool Stream, BenchStreamOptions StreamOptions);

/// <summary>A message of it.</summary>
sealed record BenchMessage(string Role, string Content);

/// <summary>Asks for the count of tokens.</summary>
sealed record BenchStreamOptions(bool IncludeUsage);
