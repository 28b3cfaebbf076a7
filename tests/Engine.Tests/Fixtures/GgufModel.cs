using System.Text.RegularExpressions;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>
/// A Hugging Face fixture written anew as a GGUF file, with the metadata keys and tensor names that llama.cpp's files have. The table of
/// names is the test's own, so that the engine's is checked by it.
/// </summary>
static partial class GgufModel
{
    static readonly (string From, string To)[] Names =
    [
        ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"), ("model.layers.", "blk."),
        ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm"), ("self_attn.qkv_proj", "attn_qkv"),
        ("self_attn.q_a_proj", "attn_q_a"), ("self_attn.q_a_layernorm", "attn_q_a_norm"), ("self_attn.q_b_proj", "attn_q_b"),
        ("self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"), ("self_attn.kv_a_layernorm", "attn_kv_a_norm"), ("self_attn.kv_b_proj", "attn_kv_b"),
        ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
        ("mlp.gate.e_score_correction_bias", "exp_probs_b.bias"), ("mlp.gate.weight", "ffn_gate_inp.weight"), ("mlp.gate_up_proj", "ffn_up"),
        ("mlp.shared_experts.gate_proj", "ffn_gate_shexp"), ("mlp.shared_experts.up_proj", "ffn_up_shexp"),
        ("mlp.shared_experts.down_proj", "ffn_down_shexp"),
        ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
    ];

    /// <summary>Writes the file of a fixture, and returns its path; <paramref name="heads"/> splits the latent up-projection for so many heads.</summary>
    public static string Write(string fixture, string folder, Action<GgufBytes> metadata, int heads = 0, int content = 0)
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path(fixture));
        var file = new GgufBytes();
        metadata(file);
        foreach (var experts in checkpoint.Tensors.Values.Where(tensor => Expert().IsMatch(tensor.Name))
            .GroupBy(tensor => Expert().Replace(tensor.Name, "mlp.X.$2_exps.weight")))
        {
            var parts = experts.OrderBy(tensor => int.Parse(Expert().Match(tensor.Name).Groups[1].Value)).ToArray();
            file.Tensor(Renamed(experts.Key.Replace("mlp.X.", "ffn_")), [parts.Length, .. parts[0].Shape], [.. parts.SelectMany(RowWidening.Widen)]);
        }
        foreach (var tensor in checkpoint.Tensors.Values.Where(tensor => !Expert().IsMatch(tensor.Name)))
            if (heads > 0 && tensor.Name.Contains("kv_b_proj")) Split(file, Renamed(tensor.Name), RowWidening.Widen(tensor), heads, content, tensor.Columns);
            else file.Tensor(Renamed(tensor.Name), [.. tensor.Shape], RowWidening.Widen(tensor));
        var path = Path.Combine(folder, $"{Path.GetFileName(fixture)}.gguf");
        File.WriteAllBytes(path, file.ToArray());
        return path;
    }

    // Keys [heads, latent, content], values [heads, value, latent].
    static void Split(GgufBytes file, string name, float[] values, int heads, int content, int latent)
    {
        var rows = values.Length / latent / heads;
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

    static string Renamed(string name) => Names.Aggregate(name, (renamed, pair) => renamed.Replace(pair.From, pair.To));

    [GeneratedRegex(@"mlp\.experts\.(\d+)\.(gate|up|down)_proj\.weight$")]
    private static partial Regex Expert();
}
