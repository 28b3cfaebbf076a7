using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>Cohere 2 (Command R7B): attention and feed-forward side by side behind one layer norm; layers that see everything do not turn.</summary>
public sealed class Cohere2 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["cohere2"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        source = source with { Norms = NormKind.Layer };
        var types = source.Config.LayerTypes();
        return source.Decoder(layer =>
        [
            source.Attention(layer, a => a with { Rotary = types[layer] == LayerType.Full ? null : a.Rotary }) with { AddsAfter = 1 },
            source.FeedForward(layer) with { Before = source.Norm($"{source.Prefix(layer)}input_layernorm") },
        ]) with { LogitScale = source.Config.Float("logit_scale", 0.0625f) };
    }
}
