using System.Text.Json.Nodes;
using Serving.Devices;
using Serving.Devices.Cpu;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>Weights packed as fp8 or MXFP4: the logits of the same values in float32, and no more memory than packed.</summary>
public sealed class PackedWeightsTests
{
    static readonly int[] Prompt = [.. Enumerable.Range(0, 40).Select(i => (i * i + 3) % 150)];

    [Theory, InlineData(true), InlineData(false)]
    public void Fp8_blocks_give_the_logits_of_their_values(bool reference)
    {
        using TemporaryFolder packed = new(), plain = new();
        var model = Qwen();
        Packing.WriteFp8(model, packed.Path);
        foreach (var (name, tensor) in model.Tensors.Where(t => t.Key.EndsWith("_proj.weight")).ToList()) model.Tensors[name] = Packing.AsFp8(tensor);
        Same(packed.Path, model.WriteFolder(plain.Path), reference, StoredType.F8, 14);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void MxFp4_blocks_give_the_logits_of_their_values(bool reference)
    {
        using TemporaryFolder packed = new(), plain = new();
        var model = TinyGguf.Of("gpt_oss wide");
        Packing.WriteMxFp4(model, packed.Path);
        foreach (var (name, tensor) in model.Tensors.Where(t => t.Value.Shape.Length == 3).ToList()) model.Tensors[name] = Packing.AsMxFp4(tensor);
        Same(packed.Path, model.WriteFolder(plain.Path), reference, StoredType.MxFp4, 6);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void MxFp4_in_a_gguf_file_is_that_of_the_folder(bool reference)
    {
        using TemporaryFolder packed = new(), file = new();
        var model = TinyGguf.Of("gpt_oss wide");
        var path = GgufModel.Write(model, "gpt-oss", file.Path, packed: (39, Packing.MxFp4));
        Same(Packing.WriteMxFp4(model, packed.Path), path, reference, StoredType.MxFp4, 6, tolerance: 1e-5f);
    }

    [Theory]
    [InlineData("""{"quant_method": "gptq", "bits": 4}""", "quantization_config asks for gptq, which is not served. Served are fp8 (e4m3, weight_block_size [128, 128]")]
    [InlineData("""{"quant_method": "fp8", "weight_block_size": [64, 128]}""", "quantization_config.weight_block_size is [64, 128]; expected [128, 128]")]
    [InlineData("""{"quant_method": "fp8"}""", "quantization_config.weight_block_size is []; expected [128, 128]")]
    [InlineData("""{"quant_method": "fp8", "weight_block_size": [128, 128], "fmt": "e5m2"}""", "quantization_config.fmt is \"e5m2\"; expected one of e4m3")]
    [InlineData("""{"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "static"}""", "activation_scheme is \"static\"; expected one of dynamic")]
    [InlineData("""{"quant_method": "fp8", "weight_block_size": [128, 128], "rotated": true}""", "does not know for model type qwen3: quantization_config.rotated")]
    [InlineData("""{"bits": 4}""", "asks for an unnamed method")]
    public void What_is_not_served_is_refused_by_name(string packing, string reason)
    {
        using var folder = new TemporaryFolder();
        var model = Qwen();
        model.Config["quantization_config"] = JsonNode.Parse(packing);
        var error = Assert.Throws<CheckpointException>(() => new DecoderHarness(Checkpoint.Open(model.WriteFolder(folder.Path)), new ReferenceDevice()));
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void Scales_that_do_not_fit_are_refused_with_both_shapes()
    {
        using var folder = new TemporaryFolder();
        var model = Qwen();
        Packing.WriteFp8(model, folder.Path);
        folder.Write("model.safetensors", TinyModel.Safetensors(
        [
            ("w.weight", "F8_E4M3", [200, 128], new byte[200 * 128]), ("w.weight_scale_inv", "F32", [1, 1], new byte[4]),
        ]));
        var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path));
        Assert.Contains("tensor w.weight_scale_inv is F32 [1, 1]; [2, 1] are expected for w.weight [200, 128]", error.Message);
    }

    [Fact]
    public void Packed_values_without_scales_are_refused()
    {
        using var folder = new TemporaryFolder();
        var model = Qwen();
        Packing.WriteFp8(model, folder.Path);
        folder.Write("model.safetensors", TinyModel.Safetensors(model.Tensors.Select(tensor =>
            (tensor.Key, tensor.Key.Contains("embed") ? "F8_E4M3" : "F32", tensor.Value.Shape, new byte[tensor.Value.Values.Length * (tensor.Key.Contains("embed") ? 1 : 4)]))));
        var error = Assert.Throws<CheckpointException>(() => new DecoderHarness(Checkpoint.Open(folder.Path), new ReferenceDevice()));
        Assert.Contains("tensor model.embed_tokens.weight is stored as F8_E4M3; served are F32, F16, BF16", error.Message);
    }

    [Theory, MemberData(nameof(Types))]
    public void Panels_take_no_more_memory_than_what_is_stored(StoredType type) =>
        Assert.InRange(PanelFormat.Of(type).PanelBytes(PanelSize.Blocks(768)), 0, 32 * type.BytesOf(768) * 107 / 100);

    public static TheoryData<StoredType> Types => [.. Enum.GetValues<StoredType>()];

    static void Same(string packed, string plain, bool reference, StoredType type, int matrices, float tolerance = 2e-4f)
    {
        IDevice Device() => reference ? new ReferenceDevice() : new CpuDevice();
        var checkpoint = Checkpoint.Open(packed);
        Assert.Equal(matrices, checkpoint.Tensors.Values.Count(tensor => tensor.Type == type));
        using var ours = new DecoderHarness(checkpoint, Device());
        using var theirs = new DecoderHarness(Checkpoint.Open(plain), Device());
        Golden.Near(theirs.Prefill(Prompt, Prompt.Length, 64), ours.Prefill(Prompt, Prompt.Length, 64), tolerance, packed);
    }

    // Rows of the output matrices do not fill blocks of 128.
    static TinyModel Qwen()
    {
        const int Hidden = 128;
        IEnumerable<(string, int[])> Layer(int layer) => new (string Name, int[] Shape)[]
        {
            ("input_layernorm.weight", [Hidden]), ("post_attention_layernorm.weight", [Hidden]), ("self_attn.q_norm.weight", [32]), ("self_attn.k_norm.weight", [32]),
            ("self_attn.q_proj.weight", [128, Hidden]), ("self_attn.k_proj.weight", [64, Hidden]), ("self_attn.v_proj.weight", [64, Hidden]),
            ("self_attn.o_proj.weight", [Hidden, 128]), ("mlp.gate_proj.weight", [256, Hidden]), ("mlp.up_proj.weight", [256, Hidden]),
            ("mlp.down_proj.weight", [Hidden, 256]),
        }.Select(tensor => ($"model.layers.{layer}.{tensor.Name}", tensor.Shape));
        return TinyModel.Random("""
            {"model_type": "qwen3", "num_hidden_layers": 2, "hidden_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
             "intermediate_size": 256, "vocab_size": 160, "rms_norm_eps": 0.001, "max_position_embeddings": 256, "hidden_act": "silu",
             "tie_word_embeddings": true, "attention_bias": false, "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0} }
            """, [("model.embed_tokens.weight", [160, Hidden]), ("model.norm.weight", [Hidden]), .. Layer(0), .. Layer(1)], seed: 7);
    }
}
