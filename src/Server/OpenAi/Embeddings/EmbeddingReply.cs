using System.Buffers.Binary;
using System.Text.Json;
using Serving.Scheduling;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>The reply of POST /v1/embeddings.</summary>
sealed record EmbeddingList(string Model, IReadOnlyList<Embedding> Data, EmbeddingUsage Usage)
{
    public string Object { get; } = "list";

    public static async Task<EmbeddingList> OfAsync(
        IReadOnlyList<GenerationRequest> inputs, EmbeddingRequest request, ServedModel model, CancellationToken cancellation)
    {
        var vectors = await VectorsAsync(inputs, request, model, cancellation);
        return new(request.Model, [.. vectors.Select((values, i) => Embedding.Of(i, values, request))], new(inputs.Sum(g => g.Prompt.Length)));
    }

    /// <summary>Asks the engine for every vector of a request, at length 1; leaving cancels those that are not there yet.</summary>
    public static async Task<List<float[]>> VectorsAsync(
        IReadOnlyList<GenerationRequest> inputs, EmbeddingRequest request, ServedModel model, CancellationToken cancellation)
    {
        var pooled = new List<Generation>();
        try
        {
            foreach (var input in inputs)
                pooled.Add(model.Engine.Start(input, cancellation));
            var vectors = new List<float[]>(pooled.Count);
            foreach (var generation in pooled)
                vectors.Add(Embedding.Normalized((await StateAsync(generation, cancellation)).AsSpan(0, request.Dimensions ?? model.Engine.HiddenSize)));
            return vectors;
        }
        catch (RequestRefusedException refusal)
        {
            throw TextRun.Refused(refusal);
        }
        finally
        {
            pooled.ForEach(generation => generation.Dispose());
        }
    }

    static async Task<float[]> StateAsync(Generation generation, CancellationToken cancellation)
    {
        float[]? values = null;
        await foreach (var happened in generation.Events.ReadAllAsync(cancellation))
        {
            if (happened is GenerationEvent.Embedding embedding)
                values = embedding.Values;
            else if (happened is GenerationEvent.Finished { Reason: FinishReason.Cancelled })
                throw ApiException.Draining();
            else if (happened is GenerationEvent.Finished { Error: { } error })
                throw ApiException.Failed(error);
        }
        return values ?? throw ApiException.Failed("The engine gave no state.");
    }
}

/// <summary>One input's vector, of length 1: a list of numbers, or their little-endian bytes in base64.</summary>
sealed record Embedding(int Index, [property: System.Text.Json.Serialization.JsonPropertyName("embedding")] JsonElement Vector)
{
    public string Object { get; } = "embedding";

    public static Embedding Of(int index, float[] values, EmbeddingRequest request) => new(index, request.Packs
        ? JsonSerializer.SerializeToElement(Packed(values), OpenAiJson.Plain.String)
        : JsonSerializer.SerializeToElement(values, OpenAiJson.Plain.SingleArray));

    /// <summary>The vector at length 1, added up in the order of its values.</summary>
    public static float[] Normalized(ReadOnlySpan<float> state)
    {
        var sum = 0.0;
        foreach (var value in state)
            sum += (double)value * value;
        var scale = sum > 0 ? 1 / Math.Sqrt(sum) : 0;
        var unit = new float[state.Length];
        for (var i = 0; i < unit.Length; i++)
            unit[i] = (float)(state[i] * scale);
        return unit;
    }

    static string Packed(float[] values)
    {
        var bytes = new byte[values.Length * sizeof(float)];
        for (var i = 0; i < values.Length; i++)
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), values[i]);
        return Convert.ToBase64String(bytes);
    }
}

/// <summary>Tokens of all inputs; embeddings generate none.</summary>
sealed record EmbeddingUsage(int PromptTokens)
{
    public int TotalTokens => PromptTokens;
}
