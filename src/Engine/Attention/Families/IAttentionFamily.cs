using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>What a layer caches and how it reads it. Exactly one family describes a layer; tensor names decide as much as the configuration.</summary>
public interface IAttentionFamily
{
    /// <summary>What papers and people call it.</summary>
    string Name { get; }

    /// <summary>Metadata keys of GGUF files that bear the family's name, without the architecture, and the configuration keys they stand for.</summary>
    ImmutableArray<(string Gguf, string Config)> GgufKeys => [];

    /// <summary>Values of model_type that name the family, with Llama's blocks and names around it.</summary>
    ImmutableArray<string> ModelTypes => [];

    /// <summary>What the family would cache in a model of given heads.</summary>
    IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) => [];

    /// <summary>Whether the layer's tensors are of this family.</summary>
    bool Describes(AttentionContext layer);

    /// <summary>The layer's attention as data.</summary>
    AttentionPlan Plan(AttentionContext layer);
}

/// <summary>All families.</summary>
public static class AttentionFamilies
{
    /// <summary>Every family; a new one is added here.</summary>
    public static ImmutableArray<IAttentionFamily> All { get; } = 
    [
        new Care(), new Cca(), new Cla(), new Clla(), new EgMla(), new FastMka(), new Gla(), new Gta(), new Kha(), new KimiDelta(), new KvHeadSvd(), new Lrkv(), new Mfa(), new MfaKr(),
        new Mha(), new Mha2Mla(), new Mha2MlaVlm(), new MkaFull(), new Mla(), new Mlra(), new Moas(), new Mtla(), new Qcqa(), new Sqa(), new Tucker(), new XEcoMla(),
    ];

    /// <summary>Values of model_type that name a family.</summary>
    public static ImmutableArray<string> ModelTypes { get; } = [.. All.SelectMany(family => family.ModelTypes)];

    /// <summary>The GGUF keys of all families.</summary>
    public static ImmutableArray<(string Gguf, string Config)> GgufKeys { get; } = [.. All.SelectMany(family => family.GgufKeys)];

    /// <summary>What each family would cache in a model of given heads.</summary>
    public static IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) => All.SelectMany(family => family.Sketches(sizes));

    /// <summary>A layer's attention by the family that describes it, with what varies any family's.</summary>
    public static AttentionPlan Plan(IAttentionFamily family, AttentionContext layer) => QuantizedLatents.Vary(family.Plan(layer), layer);

    /// <summary>The one family that describes a layer.</summary>
    /// <exception cref="CheckpointException">None does, or several do.</exception>
    public static IAttentionFamily Of(AttentionContext layer)
    {
        var found = All.Where(family => family.Describes(layer)).ToList();
        return found.Count == 1 ? found[0] : throw new CheckpointException(
            $"{layer.Config.Source}: the tensors {layer.Prefix}* are described by {(found.Count == 0 ? "no attention family" : string.Join(" and ", found.Select(f => f.Name)))}; "
            + $"families served: {string.Join(", ", All.Select(f => f.Name))}.");
    }
}
