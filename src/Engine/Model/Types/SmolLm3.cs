using System.Collections.Immutable;

namespace Serving.Model.Types;

/// <summary>SmolLM3: Llama in which some layers do not turn queries and keys.</summary>
public sealed class SmolLm3 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["smollm3"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        // In spite of its name, an entry of 1 says that the layer does turn.
        var turns = source.Config.Ints("no_rope_layers");
        if (turns is not null && turns.Length < source.Layers)
            throw source.Config.Wrong("no_rope_layers", $"a list of {turns.Length}", $"a number for each of {source.Layers} layers");
        var interval = source.Config.Int("no_rope_layer_interval", 4);
        return source.Decoder(layer =>
        [
            source.Attention(layer, a => a with
            {
                Rotary = (turns is null ? (layer + 1) % interval : turns.ElementAtOrDefault(layer)) != 0 ? a.Rotary : null,
            }),
            source.FeedForward(layer),
        ]);
    }
}
