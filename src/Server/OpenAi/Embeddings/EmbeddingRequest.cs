using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Serving.Scheduling;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>A request of POST /v1/embeddings, checked.</summary>
/// <param name="Model">The model's name as it was asked for.</param>
/// <param name="Generations">What the engine is asked: one pooled state for each input.</param>
/// <param name="Packs">Whether vectors are sent as base64.</param>
/// <param name="Dimensions">How many values of a vector are kept; all when null.</param>
sealed record EmbeddingRequest(string Model, ImmutableArray<GenerationRequest> Generations, bool Packs, int? Dimensions)
{
    const string Input = "input";

    public static EmbeddingRequest Read(RequestReader read, ServedModel model, ServerOptions options)
    {
        var name = read.Required("model").AsString();
        model.CheckName(name);
        read.Accept("user");
        var packs = read.OneOf("encoding_format", "float", "base64") == "base64";
        var dimensions = DimensionsOf(read, model, options);
        var keep = read.Integer("truncate_prompt_tokens", -1);
        var priority = read.Integer("priority", int.MinValue) ?? 0;
        var room = new ContextRoom(model, Clamps: false, Input);
        var generations = PromptText.ReadAll(read, Input, model, mayBeEmpty: false, room.Limit(keep)).Select(text =>
        {
            var ids = room.Truncated(text.Ids, keep, null);
            room.Answer(ids.Length, 0, null);
            return new GenerationRequest { Prompt = ImmutableCollectionsMarshal.AsImmutableArray(ids), Pooling = options.Pooling, MaxTokens = 0, Priority = priority };
        }).ToImmutableArray();
        return read.Unread().FirstOrDefault() is { } unknown
            ? throw ApiException.Invalid(unknown, "unknown_parameter", $"Unknown parameter: '{RequestValue.Shortened(unknown)}'.")
            : new(name, generations, packs, dimensions);
    }

    static int? DimensionsOf(RequestReader read, ServedModel model, ServerOptions options)
    {
        if (read.Integer("dimensions", 1) is not { } wanted)
            return null;
        var size = model.Engine.HiddenSize;
        if (!options.ShortensEmbeddings && wanted != size)
            throw ApiException.Unsupported("dimensions", $"'dimensions' is {wanted}; this model's embeddings have {size} values and mean nothing when cut.");
        return wanted <= size ? wanted : throw ApiException.Invalid("dimensions", "integer_above_max_value",
            $"'dimensions' is {wanted}; this model's embeddings have {size} values.");
    }
}
