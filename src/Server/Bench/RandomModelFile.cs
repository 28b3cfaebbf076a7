using System.Text;
using System.Text.Json;

namespace Serving.Server.Bench;

/// <summary>
/// Writes models of random bfloat16 weights as GGUF files (version 3, ggml's specification docs/gguf.md), without a vocabulary, from a
/// description in JSON: metadata, and tensors with their sizes, innermost first; a star stands for every layer.
/// </summary>
static class RandomModelFile
{
    const int Alignment = 32;
    const uint Float32 = 0, BFloat16 = 30;

    /// <summary>Latent attention with the heads of DeepSeek-V2-Lite (16 of 128 and 64 rotary values over a latent of 512, arXiv 2405.04434) in 12 narrow layers.</summary>
    public static void WriteLatent(string path)
    {
        using var description = typeof(RandomModelFile).Assembly.GetManifestResourceStream("latent-model.json")!;
        using var json = JsonDocument.Parse(description);
        Write(json.RootElement, path);
    }

    static void Write(JsonElement description, string path)
    {
        var metadata = description.GetProperty("metadata").EnumerateObject().ToArray();
        var tensors = Tensors(description).ToArray();
        using var file = new BinaryWriter(File.Create(path));
        file.Write("GGUF"u8);
        file.Write(3u);
        file.Write((ulong)tensors.Length);
        file.Write((ulong)metadata.Length);
        foreach (var pair in metadata) WritePair(file, pair);
        var offset = 0L;
        foreach (var (name, sizes) in tensors)
        {
            WriteText(file, name);
            file.Write(sizes.Length);
            foreach (var size in sizes) file.Write((ulong)size);
            file.Write(TypeOf(sizes));
            file.Write((ulong)offset);
            offset += Padded(BytesOf(sizes));
        }
        Pad(file);
        var random = new Random(1);
        foreach (var (_, sizes) in tensors)
        {
            file.Write(Values(sizes, random));
            Pad(file);
        }
    }

    static IEnumerable<(string Name, int[] Sizes)> Tensors(JsonElement description) =>
        from tensor in description.GetProperty("tensors").EnumerateObject()
        let sizes = tensor.Value.EnumerateArray().Select(size => size.GetInt32()).ToArray()
        from layer in Enumerable.Range(0, tensor.Name.Contains('*') ? description.GetProperty("layers").GetInt32() : 1)
        select (tensor.Name.Replace("*", $"{layer}"), sizes);

    // Norms are one; matrices are such that sums over an input stay near one.
    static byte[] Values(int[] sizes, Random random)
    {
        var bytes = new byte[BytesOf(sizes)];
        var spread = 3 / MathF.Sqrt(sizes[0]);
        if (TypeOf(sizes) == Float32)
            for (var at = 0; at < bytes.Length; at += 4) BitConverter.TryWriteBytes(bytes.AsSpan(at), 1f);
        else
            for (var at = 0; at < bytes.Length; at += 2)
                BitConverter.TryWriteBytes(bytes.AsSpan(at), (ushort)(BitConverter.SingleToUInt32Bits((random.NextSingle() - 0.5f) * spread) >> 16));
        return bytes;
    }

    static uint TypeOf(int[] sizes) => sizes.Length == 1 ? Float32 : BFloat16;

    static long BytesOf(int[] sizes) => sizes.Aggregate(1L, (a, b) => a * b) * (sizes.Length == 1 ? 4 : 2);

    static long Padded(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    static void Pad(BinaryWriter file) => file.Write(new byte[Padded(file.BaseStream.Position) - file.BaseStream.Position]);

    static void WritePair(BinaryWriter file, JsonProperty pair)
    {
        WriteText(file, pair.Name);
        if (pair.Value.ValueKind == JsonValueKind.String)
        {
            file.Write(8u);
            WriteText(file, pair.Value.GetString()!);
        }
        else if (pair.Value.GetRawText().Contains('.'))
        {
            file.Write(6u);
            file.Write(pair.Value.GetSingle());
        }
        else
        {
            file.Write(4u);
            file.Write(pair.Value.GetUInt32());
        }
    }

    static void WriteText(BinaryWriter file, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        file.Write((ulong)bytes.Length);
        file.Write(bytes);
    }
}
