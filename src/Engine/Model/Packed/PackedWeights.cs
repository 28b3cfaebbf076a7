using Serving.Devices;

namespace Serving.Model;

/// <summary>How a Hugging Face folder packs its weights.</summary>
enum PackedFormat
{
    /// <summary>It does not.</summary>
    None,

    /// <summary>NAME.weight in E4M3 and NAME.weight_scale_inv for each 128 x 128 of it (DeepSeek-V3, arXiv 2412.19437, section 3.3).</summary>
    Fp8,

    /// <summary>NAME_blocks and NAME_scales in MXFP4 (OCP MX v1.0).</summary>
    MxFp4,
}

/// <summary>
/// Weights whose values and scales a folder keeps in tensors of their own, under the name and in the blocks that devices read. They are
/// put together when somebody reads them; what the configuration calls quantised is never widened in memory.
/// </summary>
static class PackedWeights
{
    const string Served = "fp8 (e4m3, weight_block_size [128, 128], activation_scheme dynamic), mxfp4";
    const string ScaleOfFp8 = "_scale_inv";
    const string Blocks = "_blocks";
    const string Scales = "_scales";

    /// <summary>What a configuration says; a method that is not served is refused by name.</summary>
    public static PackedFormat FormatOf(ModelConfig config)
    {
        foreach (var part in (ModelConfig[])[config, config.TextPart])
        {
            if (part.ObjectOrNull("compression_config") is { } compressed)
                throw Refused(config, "compression_config", compressed);
            if (part.ObjectOrNull("quantization_config") is not { } packed)
                continue;
            // The tensors say which modules are packed.
            packed.Ignore("modules_to_not_convert", "ignored_layers");
            return packed.TextOrNull("quant_method") switch
            {
                "fp8" => Fp8(packed),
                "mxfp4" => PackedFormat.MxFp4,
                _ => throw Refused(config, "quantization_config", packed),
            };
        }
        return PackedFormat.None;
    }

    /// <summary>The tensors of a folder, packed ones joined, and those that are of no served type.</summary>
    public static (IReadOnlyDictionary<string, StoredTensor> Tensors, IReadOnlyDictionary<string, string> Unserved) Join(
        SafetensorsShards shards, PackedFormat format, string path)
    {
        if (format == PackedFormat.None) return (shards.Tensors, shards.Unserved);
        var (tensors, unserved) = (shards.Tensors.ToDictionary(), shards.Unserved.ToDictionary());
        foreach (var name in shards.Unserved.Keys)
            if (format == PackedFormat.Fp8 && unserved[name] == Fp8Weights.Type && tensors.Remove(name + ScaleOfFp8, out var scales))
            {
                tensors.Add(name, Fp8Weights.Join(shards.FileOf(name), name, scales));
                unserved.Remove(name);
            }
            else if (format == PackedFormat.MxFp4 && name.EndsWith(Blocks, StringComparison.Ordinal) && unserved.ContainsKey(name[..^Blocks.Length] + Scales))
            {
                var whole = name[..^Blocks.Length];
                var joined = MxFp4Weights.Join((shards.FileOf(name), name), (shards.FileOf(whole + Scales), whole + Scales), $"{whole}.weight");
                if (!tensors.TryAdd(joined.Name, joined))
                    throw new CheckpointException($"{path}: tensor {joined.Name} stands beside {name}, which is the same.");
                unserved.Remove(name);
                unserved.Remove(whole + Scales);
            }
        return (tensors, unserved);
    }

    static PackedFormat Fp8(ModelConfig packed)
    {
        if (packed.Has("fmt")) packed.OneOf("fmt", "e4m3");
        if (packed.Has("activation_scheme")) packed.OneOf("activation_scheme", "dynamic");
        // Scales that are powers of two are scales too.
        if (packed.Has("scale_fmt")) packed.OneOf("scale_fmt", "ue8m0", "float");
        return packed.Ints("weight_block_size") is [Fp8Weights.Block, Fp8Weights.Block]
            ? PackedFormat.Fp8
            : throw packed.Wrong("weight_block_size", $"[{string.Join(", ", packed.Ints("weight_block_size") ?? [])}]", "[128, 128]");
    }

    static CheckpointException Refused(ModelConfig config, string key, ModelConfig packed) => new(
        $"{config.Source}: {key} asks for {packed.TextOrNull("quant_method") ?? "an unnamed method"}, which is not served. "
        + $"Served are {Served}; safetensors of {SafetensorsType.ServedNames}; and GGUF files of {GgmlTypes.ServedNames}.");
}
