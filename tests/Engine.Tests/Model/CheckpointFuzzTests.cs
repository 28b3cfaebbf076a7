using System.Text;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

public sealed class CheckpointFuzzTests
{
    static readonly int Mutations = Fixtures.Rounds(2000);
    const long MostAllocated = 16 << 20;

    [Fact]
    public void A_mutated_gguf_opens_or_is_refused() => Fuzz("m.gguf", new GgufBytes()
        .Text("general.architecture", "llama").UInt32("llama.block_count", 1).UInt32("llama.embedding_length", 64)
        .UInt32("llama.attention.head_count", 4)
        .Float32("llama.rope.freq_base", 10000).Text("llama.rope.scaling.type", "linear").Float32("llama.rope.scaling.factor", 2)
        .Texts("tokenizer.ggml.tokens", "a", "b", "cd").Text("tokenizer.chat_template", "{{ messages }}")
        .UInt32("tokenizer.ggml.eos_token_id", 2)
        .Pair("nested", 9, w => { w.Write(9u); w.Write(1ul); w.Write(4u); w.Write(2ul); w.Write(1u); w.Write(2u); })
        .Tensor("token_embd.weight", [64, 3], 8, 204).Tensor("blk.0.attn_q.weight", [64, 2], 0, 512)
        .Tensor("rope_freqs.weight", [8], 0, 32).ToArray(), 700);

    [Fact]
    public void A_mutated_safetensors_file_opens_or_is_refused() => Fuzz("model.safetensors", SafetensorsFileTests.Bytes(
        """
        {"__metadata__":{"format":"pt"},"h":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},
         "i":{"dtype":"I64","shape":[2],"data_offsets":[12,28]}}
        """, new byte[28]), 160);

    [Fact]
    public void A_mutated_configuration_opens_or_is_refused() => Fuzz("config.json", Encoding.UTF8.GetBytes(
        """
        {"model_type":"gemma3_text","num_hidden_layers":3,"sliding_window_pattern":2,"rope_theta":[1,2.5,3],"eos_token_id":[1,2],
         "rope_parameters":{"full_attention":{"rope_type":"yarn","factor":2,"rope_theta":5},
          "sliding_attention":{"rope_type":"longrope","short_factor":[1],"long_factor":[2]}},
         "text_config":null,"name":"caf\u00e9 \ud83d\ude00"}
        """), int.MaxValue);

    static void Fuzz(string name, byte[] original, int reach)
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", """{"model_type":"llama"}""");
        folder.Write("model.safetensors", SafetensorsFileTests.Bytes("{}", []));
        var random = new Random(20251);
        for (var i = 0; i < Mutations; i++)
        {
            var path = folder.Write(name, Mutate(original, random, reach));
            var before = GC.GetAllocatedBytesForCurrentThread();
            var error = Record.Exception(() => OpenAndRead(name.EndsWith(".gguf", StringComparison.Ordinal) ? path : folder.Path));
            Assert.True(error is null or CheckpointException, $"Mutation {i}: {error}");
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated);
        }
    }

    static byte[] Mutate(byte[] original, Random random, int reach)
    {
        var bytes = (byte[])original.Clone();
        for (var changes = random.Next(1, 5); changes > 0; changes--)
            bytes[random.Next(Math.Min(reach, bytes.Length))] = random.Next(4) switch
            {
                0 => 0,
                1 => 255,
                2 => (byte)"\"{}[]:,0-e\\u"[random.Next(12)],
                _ => (byte)random.Next(256),
            };
        return random.Next(8) == 0 ? bytes[..random.Next(bytes.Length)] : bytes;
    }

    // Each of these may refuse; none may stop the others from being tried.
    static void OpenAndRead(string path)
    {
        using var checkpoint = Checkpoint.Open(path);
        Action[] reads =
        [
            () => checkpoint.Config.Rope(),
            () => checkpoint.Config.Rope(LayerType.Full),
            () => checkpoint.Config.Rope(LayerType.Sliding),
            () => checkpoint.Config.LayerTypes(),
            () => checkpoint.Config.RefuseUnread(),
            () => checkpoint.Metadata?.Texts("tokenizer.ggml.tokens"),
            checkpoint.OpenLedger().Close,
        ];
        foreach (var tensor in checkpoint.Tensors.Values)
            RowWidening.Widen(tensor);
        foreach (var read in reads)
            if (Record.Exception(read) is { } error and not CheckpointException)
                throw error;
    }
}
