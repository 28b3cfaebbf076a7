using System.Collections.Immutable;
using Serving.Attention;

namespace Serving.Model.Types;

/// <summary>Phi-3 (arXiv 2404.14219): Llama with queries, keys and values in one matrix, and gate and up in another.</summary>
public sealed class Phi3 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["phi3"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var width = source.Config.Int("intermediate_size");
        return source.Decoder(layer =>
        {
            var gate = new Step.Linear($"{source.Prefix(layer)}mlp.gate_up_proj.weight", width, source.HiddenSize) { Of = 2 * width };
            var down = source.Linear($"{source.Prefix(layer)}mlp.down_proj", source.HiddenSize, width);
            return
            [
                source.Attention(layer, a => a.Fused("qkv_proj", "o_proj")),
                source.FeedForward(layer, new DenseFeedForward(gate, gate with { First = width }, down, source.Activation)),
            ];
        });
    }
}
