using System.Buffers;
using System.CommandLine;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Serving.Server.Commands;

/// <summary>How commands that generate are told to choose tokens; what is left out is the model's own.</summary>
sealed class SamplingFlags
{
    readonly Option<float?> _temperature = new("--temperature") { Description = "0 takes the likeliest token.", HelpName = "number" };
    readonly Option<float?> _topP = new("--top-p") { Description = "Share of probability to choose from.", HelpName = "number" };
    readonly Option<int?> _topK = new("--top-k") { Description = "Tokens to choose from.", HelpName = "number" };
    readonly Option<int> _maxTokens = new("--max-tokens") { Description = "Most tokens of an answer.", HelpName = "number", DefaultValueFactory = _ => 512 };
    readonly Option<long?> _seed = new("--seed") { Description = "The same seed gives the same answer.", HelpName = "number" };
    readonly Option<string[]> _stop = new("--stop") { Description = "Text that ends an answer; up to four.", HelpName = "text" };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_temperature, _topP, _topK, _maxTokens, _seed, _stop])
            command.Add(option);
    }

    public ChatOptions Chat(ParseResult parsed) => new()
    {
        Temperature = parsed.GetValue(_temperature),
        TopP = parsed.GetValue(_topP),
        TopK = parsed.GetValue(_topK),
        MaxOutputTokens = parsed.GetValue(_maxTokens),
        Seed = parsed.GetValue(_seed),
        StopSequences = parsed.GetValue(_stop),
    };

    /// <summary>The body of a request to POST /v1/completions.</summary>
    public byte[] Completion(ParseResult parsed, string model, string prompt)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteString("model", model);
        json.WriteString("prompt", prompt);
        json.WriteNumber("max_tokens", parsed.GetValue(_maxTokens));
        if (parsed.GetValue(_temperature) is { } temperature) json.WriteNumber("temperature", temperature);
        if (parsed.GetValue(_topP) is { } topP) json.WriteNumber("top_p", topP);
        if (parsed.GetValue(_topK) is { } topK) json.WriteNumber("top_k", topK);
        if (parsed.GetValue(_seed) is { } seed) json.WriteNumber("seed", seed);
        json.WriteStartArray("stop");
        foreach (var stop in parsed.GetValue(_stop) ?? [])
            json.WriteStringValue(stop);
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
