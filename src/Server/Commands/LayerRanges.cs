using System.Collections.Immutable;

namespace Serving.Server.Commands;

/// <summary>Numbers of layers for people.</summary>
static class LayerRanges
{
    /// <summary>Ascending numbers as "0-4, 6".</summary>
    public static string Of(ImmutableArray<int> layers) => string.Join(", ", layers
        .Select((layer, index) => (Layer: layer, Run: layer - index)).GroupBy(at => at.Run, at => at.Layer)
        .Select(run => run.First() == run.Last() ? $"{run.First()}" : $"{run.First()}-{run.Last()}"));
}
