using System.Collections.Immutable;

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

    /// <summary>The model of a checkpoint as data. Every key of the configuration was understood, or it is an error.</summary>
    public static ModelPlan Plan(ModelSource source)
    {
        var name = source.Config.ModelType;
        var type = All.FirstOrDefault(type => type.Names.Contains(name)) ?? throw source.Config.Wrong(
            "model_type", $"\"{name}\"", $"one of {string.Join(", ", All.SelectMany(type => type.Names).Order(StringComparer.Ordinal))}");
        var plan = type.Plan(source);
        source.Config.RefuseUnread();
        foreach (var (attention, number) in plan.Attentions.Select((attention, number) => (attention, number)))
            if (attention.Fault is { } fault) throw new CheckpointException($"{source.Config.Source}: attention {number} cannot be served: {fault}.");
        foreach (var companion in source.Tensors.Companions) companion.RefuseUnread();
        foreach (var block in plan.Layers.SelectMany(layer => layer.Blocks).OfType<FeedForwardBlock>())
            if (block.Plan is RoutedFeedForward { Rule: var rule } && !rule.CanBeMet)
                throw new CheckpointException(
                    $"{source.Config.Source}: {rule.Chosen} of {rule.Experts} experts in {rule.KeptGroups} of {rule.Groups} groups cannot be chosen.");
        return plan;
    }
}
