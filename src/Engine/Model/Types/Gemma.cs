using System.Collections.Immutable;

namespace Serving.Model.Types;

/// <summary>
/// Gemma 2 (arXiv 2408.00118) and the text part of Gemma 3 (arXiv 2503.19786): norms before and after each block, scaled embeddings,
/// sliding windows between full layers; Gemma 2 caps scores and logits, Gemma 3 norms query and key heads.
/// </summary>
public sealed class Gemma : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["gemma2", "gemma3_text"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var config = source.Config;
        // GGUF files hold the whole factor.
        source = source with { NormOffset = config.Float("norm_offset", 1) };
        var scale = 1 / MathF.Sqrt(config.Float("query_pre_attn_scalar", 256));
        var gemma2 = config.ModelType == "gemma2";
        var softcap = config.FloatOrNull("attn_logit_softcapping") ?? (gemma2 && !config.Mentions("attn_logit_softcapping") ? 50 : 0);
        var plan = source.Decoder(layer =>
        [
            source.Attention(layer, a => a with { Scale = scale, Softcap = softcap }) with
            {
                After = source.Norm($"{source.Prefix(layer)}post_attention_layernorm"),
            },
            source.FeedForward(layer) with
            {
                Before = source.Norm($"{source.Prefix(layer)}pre_feedforward_layernorm"),
                After = source.Norm($"{source.Prefix(layer)}post_feedforward_layernorm"),
            },
        ]);
        return plan with
        {
            EmbeddingScale = MathF.Sqrt(source.HiddenSize),
            LogitSoftcap = config.FloatOrNull("final_logit_softcapping") ?? (gemma2 && !config.Mentions("final_logit_softcapping") ? 30 : 0),
        };
    }
}
