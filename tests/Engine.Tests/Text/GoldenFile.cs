using System.IO.Compression;
using System.Text.Json;
using Serving.Text;

namespace Serving.Tests;

/// <summary>What the publishing library gives for a tokenizer: cases of text and ids, and streams of ids and pieces.</summary>
sealed record GoldenFile(GoldenFile.Case[] Cases, GoldenFile.StreamCase[] Stream)
{
    static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public sealed record Case(string G, string Text, int[] Ids, int[] IdsSpecial, string Decoded);

    public sealed record StreamCase(int[] Ids, string[] Pieces, string Flush, string? Text);

    public static GoldenFile Load(string name) =>
        JsonSerializer.Deserialize<GoldenFile>(Unpack($"golden/{name}.json.gz"), Options)!;

    public static byte[] Unpack(string name)
    {
        using var packed = File.OpenRead(Fixtures.Path($"tokenizers/{name}"));
        using var file = new GZipStream(packed, CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        file.CopyTo(bytes);
        return bytes.ToArray();
    }

    public static Tokenizer LoadJson(string name) => Tokenizer.FromJson(Unpack($"{name}.tokenizer.json.gz"));

    /// <summary>Every case that differs, shown so that it can be found again.</summary>
    public static void Equal(IEnumerable<(string Case, string Expected, string Actual)> results)
    {
        var all = results.ToList();
        var wrong = all.Where(r => r.Expected != r.Actual).ToList();
        Assert.NotEmpty(all);
        Assert.True(wrong.Count == 0, $"{wrong.Count} of {all.Count} differ:\n"
            + string.Join("\n", wrong.Take(10).Select(r => $"{r.Case}\n  expected {r.Expected}\n  actual   {r.Actual}")));
    }

    public static string Show(IEnumerable<int> ids) => string.Join(' ', ids);

    public static string Show(string? text) => JsonSerializer.Serialize(text);
}
