using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>StableLM 2: layer norms, a part of each head turns, and where the configuration says so attention and feed-forward side by side behind one norm.</summary>
public sealed class StableLm : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["stablelm"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var config = source.Config;
        source = source with { Norms = NormKind.Layer };
        source.AgreeOn("use_qkv_bias", "*self_attn.q_proj.bias");
        source.AgreeOn("qk_layernorm", "*self_attn.q_layernorm.*");
        var parallel = config.Bool("use_parallel_residual", false);
        return source.Decoder(layer =>
        [
            source.Attention(layer) with { AddsAfter = parallel ? 1 : 0 },
            parallel ? source.FeedForward(layer) with { Before = source.Norm($"{source.Prefix(layer)}input_layernorm") } : source.FeedForward(layer),
        ]);
    }
}
