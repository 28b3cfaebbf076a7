using System.Collections.Immutable;
using System.Numerics;
using System.Text;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Cache;

/// <summary>Where one stream of one layer lies in the cache: pages side by side from <paramref name="Offset"/> on.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Stream">The stream.</param>
/// <param name="Group">Index of the layer's group.</param>
/// <param name="Offset">Bytes from the start of the cache to page 0, a multiple of 64.</param>
/// <param name="PageBytes">Bytes from one page to the next, a multiple of 64.</param>
/// <param name="Format">How its vectors are stored.</param>
public sealed record CacheRegion(int Layer, CachedStream Stream, int Group, long Offset, long PageBytes, RowFormat Format)
{
    /// <summary>The region in memory that begins at an address, with pages of so many tokens.</summary>
    public PagedRows At(nint memory, int pageTokens) => new(memory + (nint)Offset, PageBytes, pageTokens / Stream.Stride, Stream.Groups, Stream.Width, Format)
    {
        Stride = Stream.Stride,
    };
}

/// <summary>Where every cached byte lies; the only place that multiplies widths, groups and page sizes.</summary>
public sealed class CacheLayout
{
    /// <summary>Page starts are multiples of this: a cache line, and the widest vector load.</summary>
    public const int Alignment = 64;

    readonly ImmutableArray<AttentionPlan> _layers;

    /// <summary>The layout of a model's layers; throws ArgumentException when a page holds no token or nothing is cached.</summary>
    public CacheLayout(ImmutableArray<AttentionPlan> layers, int pageTokens = 64, CacheType type = CacheType.BFloat16)
    {
        if (pageTokens < 1) throw new ArgumentException($"A page of {pageTokens} tokens: it must hold at least 1.");
        foreach (var stride in layers.SelectMany(layer => layer.Streams).Select(stream => stream.Stride))
            if (pageTokens % stride != 0)
                throw new ArgumentException(
                    $"A page of {pageTokens} tokens (block-size) does not hold whole rows of {stride} tokens, as the model has them: "
                    + $"give a multiple, such as {PageTokensFor(layers, pageTokens)}, or none.");
        (_layers, PageTokens, Type) = (layers, pageTokens, type);
        Groups =
        [
            .. Enumerable.Range(0, layers.Length).Where(layer => layers[layer].ElementsPerToken > 0).GroupBy(layer => layers[layer].Rows)
                .Select(group => new PageGroup(group.Key, [.. group], pageTokens, group.Sum(TokenBytes), group.Sum(PageBytes))),
        ];
        States = new(layers, pageTokens);
        if (Groups.IsEmpty) throw new ArgumentException($"None of the {layers.Length} layers caches anything.", nameof(layers));
    }

    /// <summary>
    /// Bytes that a token would take if every layer cached keys and values as wide as the hidden state, one head of its own for each query
    /// head, in 16 bits or, where this cache has 32, in 32.
    /// </summary>
    public long FullBytesPerToken(int hiddenSize) => 2L * hiddenSize * _layers.Length * (Type == CacheType.Float32 ? sizeof(float) : sizeof(ushort));

    /// <summary>The least number of tokens, from a given one on, that holds whole rows of every layer.</summary>
    public static int PageTokensFor(IEnumerable<AttentionPlan> layers, int least = 64)
    {
        var multiple = 1;
        foreach (var stride in layers.SelectMany(layer => layer.Streams).Select(stream => stream.Stride).Distinct())
            multiple = checked(multiple / (int)BigInteger.GreatestCommonDivisor(multiple, stride) * stride);
        return (least + multiple - 1) / multiple * multiple;
    }

    /// <summary>Tokens of a page, in every group.</summary>
    public int PageTokens { get; }

    /// <summary>How a cached value is stored where its scheme does not say.</summary>
    public CacheType Type { get; }

    /// <summary>Layers with equal row policies, in the order of their first layer; layers that cache nothing are in none.</summary>
    public ImmutableArray<PageGroup> Groups { get; }

    /// <summary>Where states of sequences lie.</summary>
    public StateLayout States { get; }

    /// <summary>Bytes that a token stores, in all layers whose rule still reads it.</summary>
    public double BytesPerToken => Groups.Sum(group => group.TokenBytes);

    /// <summary>Values that a token leaves in a layer.</summary>
    public double ElementsPerToken(int layer) => _layers[layer].ElementsPerToken;

    /// <summary>Every region of a cache with this many pages in each group, one after the other.</summary>
    public ImmutableArray<CacheRegion> Regions(ImmutableArray<int> pages)
    {
        var regions = ImmutableArray.CreateBuilder<CacheRegion>();
        var offset = 0L;
        for (var group = 0; group < Groups.Length; group++)
        {
            foreach (var layer in Groups[group].Layers)
            {
                foreach (var stream in _layers[layer].Streams.Where(stream => stream.OwnedBy is null))
                {
                    regions.Add(new(layer, stream, group, offset, PageBytes(layer, stream), FormatOf(layer, stream)));
                    offset += pages[group] * PageBytes(layer, stream);
                }
            }
        }

        return regions.DrainToImmutable();
    }

    /// <summary>The regions of each group in a cache that begins at an address.</summary>
    public ImmutableArray<ImmutableArray<PagedRows>> Views(nint memory, ImmutableArray<int> pages)
    {
        var regions = Regions(pages);
        return [.. Groups.Select((_, group) => regions.Where(region => region.Group == group).Select(region => region.At(memory, PageTokens)).ToImmutableArray())];
    }

    /// <summary>Bytes of a cache with this many pages in each group.</summary>
    public long Bytes(ImmutableArray<int> pages) => Groups.Zip(pages, (group, count) => group.PageBytes * count).Sum();

    /// <summary>Bytes of the pages that a sequence of a length holds, with steps of <paramref name="stepTokens"/>.</summary>
    public long SequenceBytes(int length, int stepTokens) => Groups.Sum(group => group.PageBytes * group.MostPages(length, stepTokens));

    /// <summary>
    /// Pages of each group within a budget, in proportion to what one sequence of <paramref name="length"/> tokens holds of each.
    /// Throws ArgumentException when a group would get none.
    /// </summary>
    public ImmutableArray<int> PagesWithin(long bytes, int length, int stepTokens)
    {
        var needed = Groups.Select(group => (double)group.MostPages(length, stepTokens)).ToArray();
        var sequences = bytes / Groups.Zip(needed, (group, pages) => pages * group.PageBytes).Sum();
        ImmutableArray<int> found = Groups.Length == 1
            ? [(int)Math.Min(int.MaxValue, bytes / Groups[0].PageBytes)]
            : [.. needed.Select(pages => (int)Math.Min(int.MaxValue, pages * sequences))];
        return found.All(pages => pages > 0) ? found : throw new ArgumentException(
            $"{bytes:N0} bytes of cache are too few: a page of {PageTokens} tokens takes {Groups.Sum(group => group.PageBytes):N0} bytes. "
            + "Give the cache more, or make pages smaller.",
            nameof(bytes));
    }

    /// <summary>
    /// Pages, places and snapshots within a budget: states of at most so many sequences, and snapshots within a share of their own.
    /// Throws ArgumentException when nothing is left for pages.
    /// </summary>
    public CacheSize SizeWithin(long bytes, int length, int stepTokens, int sequences, long? snapshotBytes)
    {
        var (places, snapshots) = States.Within(bytes, sequences, snapshotBytes);
        return new(PagesWithin(bytes - States.Bytes(new([], places, snapshots)), length, stepTokens), places, snapshots);
    }

    /// <summary>Tokens that one sequence can reach when it has the whole cache to itself.</summary>
    public int LongestSequence(ImmutableArray<int> pages, int stepTokens) => (int)Groups.Zip(pages, (group, count) =>
        !group.KeepsAll && group.MostPages(int.MaxValue, stepTokens) <= count
            ? int.MaxValue
            : Math.Min(int.MaxValue, (long)count * PageTokens)).Min();

    /// <summary>The arithmetic of a cache with this many pages in each group, for people.</summary>
    public string Describe(ImmutableArray<int> pages)
    {
        var text = new StringBuilder().Append($"{BytesPerToken:#,0.##} bytes a token in {Type}, {Bytes(pages):N0} bytes in all");
        foreach (var (group, count) in Groups.Zip(pages))
        {
            text.Append($"; {group.Rows.Description}: {group.Layers.Length} layers x {group.TokenBytes / group.Layers.Length:#,0.##} bytes a token");
            text.Append($", {count:N0} pages x {PageTokens} tokens = {(long)count * PageTokens:N0} tokens");
            text.Append($", {group.PageBytes:N0} bytes a page");
        }

        return text.ToString();
    }

    /// <summary>Bytes that a token stores in a layer: values, and the scales of their groups.</summary>
    public double TokenBytes(int layer) => _layers[layer].Streams
        .GroupBy(stream => stream.Stride).Sum(rows => (double)rows.Sum(stream => RowBytes(layer, stream)) / rows.Key);

    /// <summary>
    /// How a stream is stored: as its scheme says, else in the cache's type. The part of keys that positions turn, where it is apart, is
    /// narrow and carries the positions of all heads: it stays bfloat16 where the type has scales.
    /// </summary>
    public RowFormat FormatOf(int layer, CachedStream stream) =>
        stream.Format ?? (((RowFormat)Type).HasScales && _layers[layer].IsRotary(stream) ? CacheType.BFloat16 : Type);

    long RowBytes(int layer, CachedStream stream) =>
        stream.OwnedBy is null ? (long)stream.Groups * FormatOf(layer, stream).VectorBytes(stream.Width) : 0;

    long PageBytes(int layer) => _layers[layer].Streams.Sum(stream => PageBytes(layer, stream));

    long PageBytes(int layer, CachedStream stream) => (PageTokens / stream.Stride * RowBytes(layer, stream) + Alignment - 1) / Alignment * Alignment;
}
