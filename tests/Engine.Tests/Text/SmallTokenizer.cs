using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Serving.Text;

namespace Serving.Tests;

/// <summary>A tokenizer.json of a few tokens, to be changed one thing at a time.</summary>
static class SmallTokenizer
{
    /// <summary>Byte-level: ids 0 to 255 are the bytes in order, then <c>ab</c>, <c>abc</c>, <c>Ġa</c>, and the special <c>&lt;s&gt;</c>.</summary>
    public static JsonObject ByteLevel()
    {
        var vocabulary = new JsonObject();
        for (var (b, next) = (0, 0x100); b < 256; b++)
            vocabulary[((char)(b is >= 0x21 and <= 0x7E or >= 0xA1 and <= 0xAC or >= 0xAE ? b : next++)).ToString()] = b;
        foreach (var token in (string[])["ab", "abc", "Ġa"])
            vocabulary[token] = vocabulary.Count;
        return new()
        {
            ["added_tokens"] = new JsonArray(Added(259, "<s>")),
            ["pre_tokenizer"] = Parse("""{"type":"ByteLevel","add_prefix_space":false}"""),
            ["decoder"] = Parse("""{"type":"ByteLevel"}"""),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray("a b", new JsonArray("ab", "c"), "Ġ a") },
        };
    }

    public static JsonObject Added(int id, string content, string flags = "") =>
        (JsonObject)Parse($$"""{"id":{{id}},"content":{{JsonSerializer.Serialize(content)}},"special":true,"normalized":false{{flags}}}""");

    public static JsonNode Parse(string json) => JsonNode.Parse(json)!;

    public static Tokenizer Load(JsonNode file) => Tokenizer.FromJson(Encoding.UTF8.GetBytes(file.ToJsonString()));

    /// <summary>The spellings of the ids, between bars.</summary>
    public static string Cut(Tokenizer tokenizer, string text) => string.Join('|', tokenizer.Encode(text, false, true).Select(tokenizer.Token));
}
