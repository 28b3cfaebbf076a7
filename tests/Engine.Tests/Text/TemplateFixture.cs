using System.IO.Compression;
using System.Text.Json;
using Serving.Text.Templates;

namespace Serving.Tests;

/// <summary>The templates of tests/fixtures/templates, their conversations, and the clock they were rendered by.</summary>
static class TemplateFixture
{
    static readonly JsonElement Conversations = Json("conversations");

    public static IEnumerable<string> Names => Directory.GetFiles(Fixtures.Path("templates"), "*.jinja.gz")
        .Select(path => Path.GetFileName(path).Replace(".jinja.gz", "")).Order(StringComparer.Ordinal);

    public static TimeProvider Clock { get; } = new StoppedClock(DateTime.Parse(Conversations.GetProperty("clock").GetString()!));

    public static JsonElement Json(string name)
    {
        using var stream = Open(name + ".json.gz");
        return JsonDocument.Parse(stream).RootElement;
    }

    public static string Source(string name)
    {
        using var reader = new StreamReader(Open(name + ".jinja.gz"));
        return reader.ReadToEnd();
    }

    public static JsonElement Messages(string conversation) =>
        Conversations.GetProperty("conversations").GetProperty(conversation).GetProperty("messages");

    public static JsonElement Tools(string name) => Conversations.GetProperty("tools").GetProperty(name);

    /// <summary>A case of a fixture as the input it was rendered with.</summary>
    public static ChatTemplateInput Input(JsonElement @case)
    {
        var kwargs = @case.GetProperty("kwargs").EnumerateObject().ToDictionary(member => member.Name, member => member.Value);
        return new ChatTemplateInput
        {
            Messages = Messages(@case.GetProperty("conversation").GetString()!),
            AddGenerationPrompt = Take("add_generation_prompt")?.GetBoolean() ?? false,
            ContinueFinalMessage = Take("continue_final_message")?.GetBoolean() ?? false,
            BosToken = Take("bos_token")?.GetString(),
            EosToken = Take("eos_token")?.GetString(),
            Tools = Take("tools") is { } tools ? Tools(tools.GetString()!) : null,
            Documents = Take("documents"),
            Variables = kwargs,
            ParseToolArguments = false,
            Clock = Clock,
        };

        JsonElement? Take(string name) => kwargs.Remove(name, out var value) ? value : null;
    }

    public static ChatTemplateInput Chat(string messages) => new() { Messages = JsonDocument.Parse(messages).RootElement, Clock = Clock };

    static GZipStream Open(string file) => new(File.OpenRead(Fixtures.Path(Path.Combine("templates", file))), CompressionMode.Decompress);

    sealed class StoppedClock(DateTime now) : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(now, TimeSpan.Zero);
    }
}
