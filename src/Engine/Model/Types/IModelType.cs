using System.Collections.Immutable;
using Serving.Attention;

namespace Serving.Model.Types;

/// <summary>A model type as a declaration: from a checkpoint to the model as data.</summary>
public interface IModelType
{
    /// <summary>Values of model_type that it serves.</summary>
    ImmutableArray<string> Names { get; }

    /// <summary>The model as data.</summary>
    ModelPlan Plan(ModelSource source);
}

/// <summary>All model types.</summary>
public static class ModelTypes
{
    /// <summary>Every type; a new one is added here.</summary>
    public static ImmutableArray<IModelType> All { get; } =
    [
        new Cohere2(), new DeepseekV2(), new DeepseekV3(), new Gemma(), new Glm4Moe(), new Gpt2(), new GptCrossLayer(), new GptNeoX(), new GptOss(),
        new Granite(), new Hunyuan(), new KimiLinear(),
        new Llama(), new Llama4(), new LongcatFlash(), new MiniCpm3(), new Mistral4(), new Mixtral(), new Olmo2(), new Phi3(), new Qwen25Vl(),
        new QwenMoe(), new SmolLm3(), new StableLm(), new Step3(), new Step3p7(), new Youtu(), new Zaya(),
    ];

    /// <summary>The model of a checkpoint as data. Every key of the configuration was understood and its sizes are those of the tensors, or it is an error.</summary>
    public static ModelPlan Plan(ModelSource source)
    {
        var name = source.Config.ModelType;
        var type = All.FirstOrDefault(type => type.Names.Contains(name)) ?? throw source.Config.Wrong(
            "model_type", $"\"{name}\"", $"one of {string.Join(", ", All.SelectMany(type => type.Names).Order(StringComparer.Ordinal))}");
        var plan = type.Plan(source);
        source.Config.RefuseUnread();
        foreach (var (attention, number) in plan.Attentions.Select((attention, number) => (attention, number)))
            if ((attention.Fault ?? BorrowingFault(attention, number, [.. plan.Attentions.Take(number)])) is { } fault) throw new CheckpointException($"{source.Config.Source}: attention {number} cannot be served: {fault}.");
        foreach (var companion in source.Tensors.Companions) companion.RefuseUnread();
        foreach (var block in plan.Layers.SelectMany(layer => layer.Blocks).OfType<FeedForwardBlock>())
            if (block.Plan is RoutedFeedForward { Rule: var rule } && !rule.CanBeMet)
                throw new CheckpointException(
                    $"{source.Config.Source}: {rule.Chosen} of {rule.Experts} experts in {rule.KeptGroups} of {rule.Groups} groups cannot be chosen.");
        PlannedTensors.Agree(plan, source);
        return plan;
    }

    /// <summary>Why a layer cannot read the rows of the earlier ones that it names; null where it can, or reads none.</summary>
    static string? BorrowingFault(AttentionPlan plan, int number, AttentionPlan[] earlier)
    {
        foreach (var stream in plan.Streams)
        {
            if (stream.OwnedBy is not { } owner) continue;
            if (owner < 0 || owner >= number) return $"it reads the {stream.Name} of attention {owner}, which does not come before it";
            var own = earlier[owner].Streams.FirstOrDefault(other => other.Name == stream.Name && other.OwnedBy is null);
            if (own is null) return $"it reads the {stream.Name} of attention {owner}, which keeps none of its own";
            if (own.Width != stream.Width || own.Groups != stream.Groups || own.Stride != stream.Stride || own.Format != stream.Format)
                return $"it reads the {stream.Name} of attention {owner} in another shape than that keeps";
            if (earlier[owner].Rows != plan.Rows)
                return $"it sees {plan.Rows.Description} and reads the {stream.Name} of attention {owner}, which keeps {earlier[owner].Rows.Description}; "
                    + "layers that share rows must see the same (layer_types, sliding_window)";
        }
        return null;
    }
}
