using System.Collections.Immutable;
using Serving.Attention;

namespace Serving.Cache;

/// <summary>Where one state of one layer lies in a place.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="State">The state.</param>
/// <param name="Offset">Bytes from the start of the place, a multiple of 64.</param>
public sealed record StateRegion(int Layer, LayerState State, long Offset);

/// <summary>How large a cache is: pages of each group of layers, and places for the states of sequences.</summary>
/// <param name="Pages">Pages of each group.</param>
/// <param name="Places">Sequences whose states fit.</param>
/// <param name="Snapshots">Earlier states that are kept beside them.</param>
public sealed record CacheSize(ImmutableArray<int> Pages, int Places = 0, int Snapshots = 0)
{
    /// <summary>Pages and places in host memory, for sequences that have to give theirs up; null for none.</summary>
    public CacheSize? Swap { get; init; }

    /// <summary>A cache of pages alone.</summary>
    public static implicit operator CacheSize(ImmutableArray<int> pages) => new(pages);
}

/// <summary>Where the states of a sequence lie: all layers' in one place, so that a copy of a place is a copy of them all.</summary>
public sealed class StateLayout
{
    const int Alignment = 64;

    /// <summary>The layout of the states of a model's layers.</summary>
    public StateLayout(ImmutableArray<AttentionPlan> layers, int pageTokens)
    {
        var (regions, offset) = (ImmutableArray.CreateBuilder<StateRegion>(), 0L);
        for (var layer = 0; layer < layers.Length; layer++)
            foreach (var state in layers[layer].States)
            {
                regions.Add(new(layer, state, offset));
                offset += ((long)state.Values * sizeof(float) + Alignment - 1) / Alignment * Alignment;
            }
        (Regions, PlaceBytes) = (regions.DrainToImmutable(), offset);
        NeedsSnapshots = Regions.Any(region => region.State.Update.Period is var period && (period == 0 || pageTokens % period != 0));
    }

    /// <summary>Every state of every layer.</summary>
    public ImmutableArray<StateRegion> Regions { get; }

    /// <summary>Bytes of the states of one sequence; 0 for a model without.</summary>
    public long PlaceBytes { get; }

    /// <summary>Whether a sequence that begins behind shared pages needs the state that was there.</summary>
    public bool NeedsSnapshots { get; }

    /// <summary>Bytes of the places of a cache.</summary>
    public long Bytes(CacheSize size) => PlaceBytes * ((long)size.Places + size.Snapshots);

    /// <summary>
    /// Places for the states of as many sequences as half of a budget holds, and snapshots within a budget of their own, which is an eighth
    /// of the whole when it is null; the rest is for pages.
    /// </summary>
    public (int Places, int Snapshots) Within(long bytes, int sequences, long? snapshotBytes)
    {
        if (PlaceBytes == 0) return (0, 0);
        var snapshots = NeedsSnapshots ? Math.Min(int.MaxValue / 4, (snapshotBytes ?? bytes / 8) / PlaceBytes) : 0;
        return ((int)Math.Clamp((bytes - snapshots * PlaceBytes) / 2 / PlaceBytes, 1, sequences), (int)snapshots);
    }

    /// <summary>The arithmetic of a cache's places, for people; empty for a model without states.</summary>
    public string Describe(CacheSize size) => PlaceBytes == 0 ? ""
        : $"; states of {PlaceBytes:N0} bytes a sequence: {size.Places:N0} sequences and {size.Snapshots:N0} snapshots, {Bytes(size):N0} bytes";
}
