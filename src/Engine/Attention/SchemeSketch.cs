using System.Collections.Immutable;

namespace Serving.Attention;

/// <summary>The heads of a model, which every scheme for it has.</summary>
/// <param name="Heads">Query heads, H.</param>
/// <param name="Groups">Groups of heads that share keys and values where a scheme has such groups, G.</param>
/// <param name="Width">Values of a head's key and value before any scheme, d.</param>
public sealed record HeadSizes(int Heads, int Groups, int Width);

/// <summary>What a scheme would cache in a model of given heads, at the widths that its authors chose for theirs.</summary>
/// <param name="Name">What papers and people call the scheme.</param>
/// <param name="Widths">What is cached and how wide, and where the widths come from.</param>
/// <param name="Streams">What a token leaves in a layer that caches.</param>
public sealed record SchemeSketch(string Name, string Widths, ImmutableArray<CachedStream> Streams)
{
    /// <summary>The name of the part of keys that positions turn, apart from the rest.</summary>
    const string Rotary = "rotary";

    /// <summary>Neighbouring layers that read the cache of the first of them.</summary>
    public int SharedLayers { get; init; } = 1;

    /// <summary>A sketch of streams (name, width, groups).</summary>
    public static SchemeSketch Of(string name, string widths, params (string Name, int Width, int Groups)[] streams) =>
        new(name, widths, [.. streams.Select(stream => new CachedStream(stream.Name, new([]), stream.Width, stream.Groups))]);

    /// <summary>A latent for all heads and a rotary key beside it.</summary>
    public static SchemeSketch OfLatents(string name, string widths, int width, int groups, int rotary) =>
        Of(name, widths, ("latent", width, groups), (Rotary, rotary, 1));

    /// <summary>A layer's plan with what this scheme caches in place of its own. It says what is stored, not how it is computed.</summary>
    public AttentionPlan In(AttentionPlan plan, int layer) => plan.Branches.IsEmpty ? plan : plan with
    {
        States = [],
        Streams = layer % SharedLayers == 0 ? Streams : [.. Streams.Select(stream => stream with { OwnedBy = layer - layer % SharedLayers })],
        Branches = [plan.Branches[0] with { Main = Streams[0].Name, Value = null, Rotary = Streams.Any(s => s.Name == Rotary) ? Rotary : null }],
    };
}
