using System.Text.RegularExpressions;

namespace Serving.Tests;

/// <summary>
/// A small model written as a GGUF file, with the metadata keys, tensor names and conventions that llama.cpp's files have. The tables
/// are the tests' own, so that the engine's are checked by them.
/// </summary>
static partial class GgufModel
{
    static readonly (string From, string To)[] Names =
    [
        ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"), ("model.layers.", "blk."),
        ("input_layernorm", "attn_norm"), ("pre_feedforward_layernorm", "ffn_norm"), ("post_feedforward_layernorm", "post_ffw_norm"),
        ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm"), ("self_attn.qkv_proj", "attn_qkv"),
        ("self_attn.q_a_proj", "attn_q_a"), ("self_attn.q_a_layernorm", "attn_q_a_norm"), ("self_attn.q_b_proj", "attn_q_b"),
        ("self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"), ("self_attn.kv_a_layernorm", "attn_kv_a_norm"), ("self_attn.kv_b_proj", "attn_kv_b"),
        ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
        ("self_attn.sinks", "attn_sinks.weight"), ("mlp.router", "ffn_gate_inp"),
        ("mlp.gate.e_score_correction_bias", "exp_probs_b.bias"), ("mlp.gate.weight", "ffn_gate_inp.weight"), ("mlp.gate_up_proj", "ffn_up"),
        ("mlp.shared_experts.gate_proj", "ffn_gate_shexp"), ("mlp.shared_experts.up_proj", "ffn_up_shexp"),
        ("mlp.shared_experts.down_proj", "ffn_down_shexp"),
        ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
    ];

    // A norm after attention has a name of its own in these; in the others it is the one before the feed-forward.
    static readonly string[] PostAttention = ["gemma2", "gemma3", "glm4moe", "gpt-oss"];

    /// <summary>Writes the file and returns its path; <paramref name="split"/> cuts the latent up-projection into keys and values.</summary>
    /// <param name="model">The model.</param>
    /// <param name="architecture">Name of the GGUF architecture.</param>
    /// <param name="folder">Where the file goes.</param>
    /// <param name="split">As newer files hold latent attention.</param>
    /// <param name="fused">Gates and ups of experts in one stack, as the converter makes on request.</param>
    /// <param name="packed">Stored type of stacked experts, number and bytes of a tensor's values; null for F32.</param>
    public static string Write(
        TinyModel model, string architecture, string folder, bool split = false, bool fused = false, (uint Type, Func<float[], byte[]> Pack)? packed = null)
    {
        var file = new GgufBytes();
        GgufHeader.Write(file, model.Config, architecture, split);
        foreach (var (name, tensor) in Fused(Stacked(Adjusted(model, architecture)), fused))
        {
            var renamed = Renamed(name, architecture);
            if (split && renamed.Contains("attn_kv_b.")) Split(file, renamed, tensor, model.Int("num_attention_heads"), model.Int("qk_nope_head_dim"));
            else if (packed is { } stored && renamed.EndsWith("exps.weight")) file.Tensor(renamed, tensor.Shape, stored.Type, stored.Pack(tensor.Values));
            else file.Tensor(renamed, tensor.Shape, tensor.Values);
        }
        var path = Path.Combine(folder, $"{architecture}.gguf");
        File.WriteAllBytes(path, file.ToArray());
        return path;
    }

    /// <summary>The tensors with what an architecture's files fold into them.</summary>
    static IEnumerable<(string Name, TinyTensor Tensor)> Adjusted(TinyModel model, string architecture) => architecture switch
    {
        "llama" => model.Tensors.Select(t => (t.Key, Permuted(model, t.Key, t.Value))),
        "gemma2" or "gemma3" => model.Tensors.Select(t => (t.Key, Gemma(model, t.Key, t.Value, architecture))),
        "gpt-oss" => model.Tensors.SelectMany(t => GptOss(t.Key, t.Value)),
        "minicpm3" => MiniCpm3(model),
        _ => model.Tensors.Select(t => (t.Key, t.Value)),
    };

    // Rotary pairs become neighbours.
    static TinyTensor Permuted(TinyModel model, string name, TinyTensor tensor)
    {
        var heads = name.Contains("q_proj") ? model.Int("num_attention_heads") : name.Contains("k_proj") ? model.Int("num_key_value_heads") : 0;
        if (heads == 0) return tensor;
        var (rows, columns) = (tensor.Shape[0] / heads, tensor.Shape.Length > 1 ? tensor.Shape[1] : 1);
        var values = new float[tensor.Values.Length];
        for (var row = 0; row < tensor.Shape[0]; row++)
        {
            var within = row % rows;
            var source = row - within + within / 2 + within % 2 * (rows / 2);
            tensor.Values.AsSpan(source * columns, columns).CopyTo(values.AsSpan(row * columns));
        }
        return tensor with { Values = values };
    }

    // Norms hold 1 + w; the scale of scores is that of the head's width.
    static TinyTensor Gemma(TinyModel model, string name, TinyTensor tensor, string architecture)
    {
        var whole = name.EndsWith("norm.weight") ? tensor.Plus(1) : tensor;
        var scaled = architecture == "gemma2" ? "q_proj.weight" : "q_norm.weight";
        return name.EndsWith(scaled) ? whole.Times(Math.Sqrt(model.Int("head_dim") / (double)model.Int("query_pre_attn_scalar"))) : whole;
    }

    // Each expert's columns are gate and up in turn, [inputs x 2 outputs].
    static IEnumerable<(string, TinyTensor)> GptOss(string name, TinyTensor tensor)
    {
        if (!name.Contains("mlp.experts.")) return [(name, tensor)];
        var (bias, fused) = (name.EndsWith("_bias"), name.Contains("gate_up_proj"));
        string Part(string part) => name.Split("mlp.experts.")[0].Replace("model.layers.", "blk.") + $"ffn_{part}_exps." + (bias ? "bias" : "weight");
        var turned = bias ? tensor : Turned(tensor);
        return fused ? [(Part("gate"), EveryOther(turned, 0)), (Part("up"), EveryOther(turned, 1))] : [(Part("down"), turned)];
    }

    static TinyTensor Turned(TinyTensor stack)
    {
        var (experts, inputs, outputs) = (stack.Shape[0], stack.Shape[1], stack.Shape[2]);
        return new([experts, outputs, inputs],
        [
            .. from e in Enumerable.Range(0, experts) from o in Enumerable.Range(0, outputs) from i in Enumerable.Range(0, inputs)
               select stack.Values[(e * inputs + i) * outputs + o],
        ]);
    }

    // Rows first, first + 2 and on of each expert.
    static TinyTensor EveryOther(TinyTensor stack, int first)
    {
        var (rows, width) = (stack.Shape[1], stack.Shape.Length > 2 ? stack.Shape[2] : 1);
        return new([stack.Shape[0], rows / 2, .. stack.Shape[2..]],
            [.. stack.Values.Chunk(width).Where((_, row) => row % rows % 2 == first).SelectMany(row => row)]);
    }

    // Readers know the factors of the published model: 12, 1.4 and 256.
    static IEnumerable<(string, TinyTensor)> MiniCpm3(TinyModel model)
    {
        double Key(string key) => model.Config[key]!.GetValue<double>();
        foreach (var (name, tensor) in model.Tensors)
            if (name == "model.embed_tokens.weight")
            {
                yield return (name, tensor.Times(Key("scale_emb") / 12));
                yield return ("lm_head.weight", tensor.Times(Key("dim_model_base") / 256));
            }
            else yield return (name, name.Contains("o_proj") || name.Contains("down_proj") ? tensor.Times(Key("scale_depth") / 1.4) : tensor);
    }

    // One stack for each matrix of all experts.
    static IEnumerable<(string Name, TinyTensor Tensor)> Stacked(IEnumerable<(string Name, TinyTensor Tensor)> tensors)
    {
        var all = tensors.ToList();
        foreach (var experts in all.Where(t => Expert().IsMatch(t.Name)).GroupBy(t => Expert().Replace(t.Name, "mlp.X.$2_exps.weight")))
        {
            var parts = experts.OrderBy(t => int.Parse(Expert().Match(t.Name).Groups[1].Value)).Select(t => t.Tensor).ToArray();
            yield return (experts.Key.Replace("mlp.X.", "ffn_"), new([parts.Length, .. parts[0].Shape], [.. parts.SelectMany(part => part.Values)]));
        }
        foreach (var tensor in all.Where(t => !Expert().IsMatch(t.Name))) yield return tensor;
    }

    static IEnumerable<(string Name, TinyTensor Tensor)> Fused(IEnumerable<(string Name, TinyTensor Tensor)> tensors, bool fused)
    {
        const string Gate = "ffn_gate_exps", Up = "ffn_up_exps";
        var ups = tensors.Where(t => t.Name.Contains(Up)).ToDictionary(t => t.Name, t => t.Tensor);
        foreach (var (name, gate) in tensors)
            if (!fused || !(name.Contains(Gate) || name.Contains(Up))) yield return (name, gate);
            else if (name.Contains(Gate) && ups[name.Replace(Gate, Up)] is var up && gate.Shape is [var experts, var rows, var columns])
                yield return (name.Replace(Gate, "ffn_gate_up_exps"), new([experts, 2 * rows, columns],
                    [.. gate.Values.Chunk(rows * columns).Zip(up.Values.Chunk(rows * columns), (g, u) => g.Concat(u)).SelectMany(both => both)]));
    }

    // Keys [heads, latent, content], values [heads, value, latent].
    static void Split(GgufBytes file, string name, TinyTensor tensor, int heads, int content)
    {
        var (rows, latent, values) = (tensor.Shape[0] / heads, tensor.Shape[1], tensor.Values);
        float[] keys = [.. from head in Enumerable.Range(0, heads)
                           from c in Enumerable.Range(0, latent)
                           from row in Enumerable.Range(0, content)
                           select values[(head * rows + row) * latent + c]];
        float[] outputs = [.. from head in Enumerable.Range(0, heads)
                              from row in Enumerable.Range(content, rows - content)
                              from c in Enumerable.Range(0, latent)
                              select values[(head * rows + row) * latent + c]];
        file.Tensor(name.Replace("attn_kv_b", "attn_k_b"), [heads, latent, content], keys);
        file.Tensor(name.Replace("attn_kv_b", "attn_v_b"), [heads, rows - content, latent], outputs);
    }

    static string Renamed(string name, string architecture) => Names
        .Prepend(("post_attention_layernorm", PostAttention.Contains(architecture) ? "post_attention_norm" : "ffn_norm"))
        .Aggregate(name, (renamed, pair) => renamed.Replace(pair.Item1, pair.Item2));

    [GeneratedRegex(@"mlp\.experts\.(\d+)\.(gate|up|down)_proj\.weight$")]
    private static partial Regex Expert();
}
