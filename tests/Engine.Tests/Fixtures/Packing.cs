using System.Text.Json.Nodes;
using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Tests;

/// <summary>Packs weights as published models do: the nearest value of each format.</summary>
static class Packing
{
    const int Block = 128;

    static readonly float[] Fours = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6];

    static readonly (float Value, byte Bits)[] Eights = [.. Enumerable.Range(0, 127).Select(bits => (Eight((byte)bits), (byte)bits))];

    /// <summary>ggml's MXFP4 blocks of rows whose lengths are multiples of 32.</summary>
    public static byte[] MxFp4(float[] values) => [.. values.Chunk(32).SelectMany(block =>
    {
        var (exponent, nibbles) = Nibbles(block);
        return (IEnumerable<byte>)[exponent, .. Enumerable.Range(0, 16).Select(i => (byte)(nibbles[i] | nibbles[i + 16] << 4))];
    })];

    /// <summary>A folder whose experts are packed as gpt-oss publishes them.</summary>
    public static string WriteMxFp4(TinyModel model, string folder)
    {
        var tensors = new List<(string, string, int[], byte[])>();
        foreach (var (name, tensor) in model.Tensors)
            if (name.EndsWith("_proj") && tensor.Shape is [var experts, var inputs, var outputs])
            {
                float[] turned = [.. from e in Enumerable.Range(0, experts) from o in Enumerable.Range(0, outputs) from i in Enumerable.Range(0, inputs)
                                     select tensor.Values[(e * inputs + i) * outputs + o]];
                var blocks = turned.Chunk(32).Select(Nibbles).ToArray();
                tensors.Add(($"{name}_blocks", "U8", [experts, outputs, inputs / 32, 16],
                    [.. blocks.SelectMany(block => block.Nibbles.Chunk(2).Select(pair => (byte)(pair[0] | pair[1] << 4)))]));
                tensors.Add(($"{name}_scales", "U8", [experts, outputs, inputs / 32], [.. blocks.Select(block => block.Exponent)]));
            }
            else tensors.Add((name, "F32", tensor.Shape, Bytes(tensor.Values)));
        return Write(model, folder, tensors, """{"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]}""");
    }

    /// <summary>A folder whose projections are packed as DeepSeek-V3 publishes them.</summary>
    public static string WriteFp8(TinyModel model, string folder)
    {
        var tensors = new List<(string, string, int[], byte[])>();
        foreach (var (name, tensor) in model.Tensors)
            if (name.EndsWith("_proj.weight"))
            {
                var (values, scales) = Eights128(tensor);
                tensors.Add((name, "F8_E4M3", tensor.Shape, values));
                tensors.Add(($"{name}_scale_inv", "F32", [(tensor.Shape[0] + Block - 1) / Block, tensor.Shape[1] / Block], Bytes(scales)));
            }
            else tensors.Add((name, "F32", tensor.Shape, Bytes(tensor.Values)));
        return Write(model, folder, tensors,
            """{"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128], "modules_to_not_convert": ["lm_head"]}""");
    }

    /// <summary>What packed values widen to, computed here from the specifications.</summary>
    public static TinyTensor AsFp8(TinyTensor tensor)
    {
        var (bits, scales) = Eights128(tensor);
        var columns = tensor.Shape[1];
        return tensor with { Values = [.. bits.Select((b, i) => Eight(b) * scales[i / columns / Block * (columns / Block) + i % columns / Block])] };
    }

    /// <summary>Values of a stack [experts x inputs x outputs] whose inputs are packed by 32.</summary>
    public static TinyTensor AsMxFp4(TinyTensor stack)
    {
        var (inputs, outputs) = (stack.Shape[1], stack.Shape[2]);
        var values = stack.Values.ToArray();
        for (var expert = 0; expert < stack.Shape[0]; expert++)
            for (var o = 0; o < outputs; o++)
                for (var from = 0; from < inputs; from += 32)
                {
                    int At(int i) => (expert * inputs + from + i) * outputs + o;
                    var (exponent, nibbles) = Nibbles([.. Enumerable.Range(0, 32).Select(i => stack.Values[At(i)])]);
                    for (var i = 0; i < 32; i++) values[At(i)] = (nibbles[i] < 8 ? 1 : -1) * Fours[nibbles[i] % 8] * MathF.Pow(2, exponent - 127);
                }
        return stack with { Values = values };
    }

    static (byte[] Bits, float[] Scales) Eights128(TinyTensor tensor)
    {
        var (rows, columns) = (tensor.Shape[0], tensor.Shape[1]);
        var across = columns / Block;
        var scales = new float[(rows + Block - 1) / Block * across];
        for (var i = 0; i < tensor.Values.Length; i++)
            scales[i / columns / Block * across + i % columns / Block] =
                Math.Max(scales[i / columns / Block * across + i % columns / Block], Math.Abs(tensor.Values[i]) / 448);
        return ([.. tensor.Values.Select((value, i) => Nearest(value / scales[i / columns / Block * across + i % columns / Block]))], scales);
    }

    static byte Nearest(float value)
    {
        var best = Eights.MinBy(eight => Math.Abs(eight.Value - Math.Abs(value))).Bits;
        return value < 0 ? (byte)(best | 128) : best;
    }

    static (byte Exponent, byte[] Nibbles) Nibbles(float[] block)
    {
        var power = (int)Math.Floor(Math.Log2(Math.Max(block.Max(Math.Abs), 1e-30))) - 2;
        var nibbles = block.Select(value =>
        {
            var size = Math.Abs(value) / Math.Pow(2, power);
            var best = Enumerable.Range(0, 8).MinBy(i => Math.Abs(Fours[i] - size));
            return (byte)(value < 0 ? best | 8 : best);
        });
        return ((byte)(127 + power), [.. nibbles]);
    }

    static float Eight(byte bits)
    {
        var (exponent, fraction) = (bits >> 3 & 15, bits & 7);
        var size = exponent == 0 ? fraction / 8f * MathF.Pow(2, -6) : (1 + fraction / 8f) * MathF.Pow(2, exponent - 7);
        return bits < 128 ? size : -size;
    }

    static byte[] Bytes(float[] values) => System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

    static string Write(TinyModel model, string folder, List<(string, string, int[], byte[])> tensors, string packing)
    {
        var config = JsonNode.Parse(model.Config.ToJsonString())!.AsObject();
        config["quantization_config"] = JsonNode.Parse(packing);
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        File.WriteAllBytes(Path.Combine(folder, "model.safetensors"), TinyModel.Safetensors(tensors));
        return folder;
    }
}
