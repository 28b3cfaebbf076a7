using System.Collections.Immutable;
using Serving.Attention.Families;

namespace Serving.Model.Types;

/// <summary>
/// Llama, and the types that differ from it only in what the tensors and the configuration say anyway: Mistral (sliding windows),
/// Qwen2 (biases on q, k and v), Qwen3 (a norm on every query and key head), and types named after their attention alone.
/// </summary>
public sealed class Llama : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["llama", "mistral", "qwen2", "qwen3", .. AttentionFamilies.ModelTypes];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        if (source.Tensors.Has(RxLm.Embedding)) return RxLm.Plan(source);
        if (LearnsPositions(source)) return source.Decoder(layer => [source.Attention(layer, a => a with { Rotary = null }), source.FeedForward(layer)]) with { Positions = Positions };
        return source.Decoder(layer =>
            [source.Attention(layer, source.Config.Has("qk_rope_head_dim") ? source.Latent : null), source.FeedForward(layer)]);
    }

    const string Positions = "model.embed_positions.weight";

    /// <summary>Whether embedded tokens get a row of their position instead of keys and queries that turn.</summary>
    static bool LearnsPositions(ModelSource source)
    {
        var (config, learned) = (source.Config, source.Tensors.Has(Positions));
        var (said, meant) = (config.TextOrNull("position_embedding_type"), learned ? "learned" : "rope");
        if (said is not null && said != meant)
            throw config.Wrong("position_embedding_type", $"\"{said}\"", $"\"{meant}\", since there is {(learned ? "a" : "no")} tensor {Positions}");
        if (learned) config.Ignore("rope_theta", "rope_parameters");
        return learned;
    }
}
