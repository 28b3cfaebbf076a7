namespace Serving.Model;

/// <summary>The sampling values of generation_config.json; null where the file says nothing.</summary>
public sealed record GenerationDefaults
{
    /// <summary>False asks for the likeliest token at every step.</summary>
    public bool? DoSample { get; init; }

    /// <summary>The divisor of the logits.</summary>
    public float? Temperature { get; init; }

    /// <summary>The probability mass that is kept.</summary>
    public float? TopP { get; init; }

    /// <summary>How many tokens are kept; 0 keeps all.</summary>
    public int? TopK { get; init; }

    /// <summary>The least probability, relative to the likeliest token.</summary>
    public float? MinP { get; init; }

    /// <summary>The divisor for tokens that occurred before.</summary>
    public float? RepetitionPenalty { get; init; }

    internal static GenerationDefaults Read(ModelConfig file) => new()
    {
        DoSample = file.BoolOrNull("do_sample"),
        Temperature = file.FloatOrNull("temperature"),
        TopP = file.FloatOrNull("top_p"),
        TopK = file.IntOrNull("top_k"),
        MinP = file.FloatOrNull("min_p"),
        RepetitionPenalty = file.FloatOrNull("repetition_penalty"),
    };
}
