using static Serving.Tests.Variants;

namespace Serving.Tests;

/// <summary>
/// Schemes that split a latent (MLRA, GLA), with all parts alike: one small latent of plain latent attention, whose norms hold the scales and
/// whose output holds the sum over the latents that a head reads.
/// </summary>
public sealed class SplitLatentTests
{
    [Theory, InlineData("mlra_4"), InlineData("mlra_4_gated"), InlineData("mlra_2"), InlineData("mlra_gla_4"), InlineData("mlra_gla_2")]
    public void Latents_that_are_alike_are_one(string fixture) => Same($"schemes/{fixture}", model => Alike(model), model =>
    {
        var (latents, branches, rotary) = (Alike(model), Branches(model), model.Int("qk_rope_head_dim"));
        var width = model.Int("kv_lora_rank") / latents;
        ToLatents(model, width);
        model.EachLayer(name =>
        {
            TinyTensor Of(string part) => model.Tensors[name(part)];
            model.Tensors[name("kv_a_layernorm.weight")] = model.Tensors[name(latents == 2 ? "kv_a_layernorm_1.weight" : "kv_a_layernorms.0.weight")];
            model.Tensors[name("kv_a_proj_with_mqa.weight")] = Below(Of("kv_a_proj_with_mqa.weight").Rows(0, width), Of("kv_a_proj_with_mqa.weight").Rows(latents * width, rotary));
            model.Tensors[name("kv_b_proj.weight")] = latents == 2
                ? Below(Of("kv_b_proj_1.weight"), Of("kv_b_proj_2.weight"))
                : Below([.. Enumerable.Range(0, latents / branches).Select(latent => Slice(Of("kv_b_proj"), latent).Turned())]);
        });
        // A sum of n equal outputs over the root of n; the gate is half open.
        model.Edit("self_attn.o_proj", tensor => tensor.Times(Math.Sqrt(branches) * (fixture.EndsWith("gated") ? 0.5 : 1)));
        model.Remove("kv_a_layernorms.", "kv_a_layernorm_", "kv_b_proj_", "gated_proj");
        foreach (var name in model.Tensors.Keys.Where(name => name.EndsWith("kv_b_proj")).ToArray()) model.Tensors.Remove(name);
        Scale(model, width);
    });

    [Fact]
    public void One_latent_with_scales_is_a_latent_whose_norms_hold_them() => Same("schemes/mlra_mla", _ => { }, model =>
    {
        ToLatents(model, model.Int("kv_lora_rank"));
        Scale(model, model.Int("kv_lora_rank"));
    });

    /// <summary>Gives every latent the first one's matrices and norms, and heads the maps of the latents they read; returns how many latents there are.</summary>
    static int Alike(TinyModel model)
    {
        var (latents, branches, rotary) = (model.Tensors.Keys.Any(name => name.Contains("kv_b_proj_1")) ? 2 : 4, Branches(model), model.Int("qk_rope_head_dim"));
        var width = model.Int("kv_lora_rank") / latents;
        model.Edit("kv_a_proj_with_mqa", tensor => Below([.. Enumerable.Repeat(tensor.Rows(0, width), latents), tensor.Rows(latents * width, rotary)]));
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("kv_a_layernorm")).ToArray())
            model.Tensors[name] = model.Tensors[latents == 2 ? name.Replace("_2.", "_1.") : $"{name[..name.IndexOf("norms.", StringComparison.Ordinal)]}norms.0.weight"];
        // Of n latents that a head reads, each has the maps of the first.
        if (latents == 4)
            model.Edit("kv_b_proj", tensor => new(tensor.Shape, [.. Enumerable.Range(0, latents).SelectMany(latent => Slice(tensor, latent % (latents / branches)).Values)]));
        model.Edit("gated_proj", tensor => tensor.Times(0));
        return latents;
    }

    /// <summary>Latents that a head reads: the maps of all latents over those of all heads.</summary>
    static int Branches(TinyModel model) => model.Tensors.FirstOrDefault(tensor => tensor.Key.EndsWith("kv_b_proj")).Value is not { } stack ? 1
        : 4 * stack.Shape[2] / (2 * model.Int("qk_nope_head_dim")) / model.Int(model.Config.ContainsKey("n_head") ? "n_head" : "num_attention_heads");

    static TinyTensor Slice(TinyTensor stack, int latent)
    {
        var size = stack.Shape[1] * stack.Shape[2];
        return new(stack.Shape[1..], stack.Values[(latent * size)..((latent + 1) * size)]);
    }

    /// <summary>The same model under DeepSeek's names, with one latent.</summary>
    static void ToLatents(TinyModel model, int latent)
    {
        foreach (var (from, to) in new[]
        {
            ("transformer.wte", "model.embed_tokens"), ("transformer.h.", "model.layers."), (".attn.c_proj", ".self_attn.o_proj"), (".attn.", ".self_attn."),
            ("c_fc1", "gate_proj"), ("c_fc2", "up_proj"), ("mlp.c_proj", "mlp.down_proj"),
        })
            model.Rename(from, to);
        model.Tensors.Remove("layernorm.weight", out var norm);
        model.Tensors["model.norm.weight"] = norm!;
        foreach (var (from, to) in new[] { ("n_layer", "num_hidden_layers"), ("n_head", "num_attention_heads"), ("n_embd", "hidden_size"), ("block_size", "max_position_embeddings") })
        {
            model.Config[to] = model.Int(from);
            model.Config.Remove(from);
        }
        (model.Config["kv_lora_rank"], model.Config["v_head_dim"], model.Config["rope_interleave"]) = (latent, model.Int("qk_nope_head_dim"), false);
        model.Config["rms_norm_eps"] = 1e-6;
        model.Forget("attention_variant", "bias", "dropout");
        model.DeepSeek();
    }

    static void Scale(TinyModel model, int latent)
    {
        model.Edit("q_a_layernorm", tensor => tensor.Times(Math.Sqrt(model.Int("hidden_size") / (double)model.Int("q_lora_rank"))));
        model.Edit("kv_a_layernorm", tensor => tensor.Times(Math.Sqrt(model.Int("hidden_size") / (double)latent)));
    }
}
