using System.Collections.Immutable;
using Serving.Attention;
using Serving.Attention.Families;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Model.Types;

namespace Serving;

/// <summary>What to plan for.</summary>
/// <param name="Bytes">Memory of the cache.</param>
/// <param name="Type">Type of cached rows.</param>
/// <param name="Context">Tokens of every sequence; the model's own limit when null.</param>
/// <param name="PageTokens">Tokens of a page; about 64 when null, whole rows of several tokens.</param>
public sealed record CachePlanOptions(long Bytes, CacheType Type = CacheType.BFloat16, int? Context = null, int? PageTokens = null);

/// <summary>What a model's sequences take in the cache, and what they would take in other types and with other schemes. All figures are <see cref="CacheLayout"/>'s.</summary>
public sealed record CachePlan
{
    /// <summary>The checkpoint's name.</summary>
    public required string Model { get; init; }

    /// <summary>What was planned for.</summary>
    public required CachePlanOptions Options { get; init; }

    /// <summary>Tokens of every sequence.</summary>
    public required int Context { get; init; }

    /// <summary>Attentions, which are layers in most models.</summary>
    public required int Layers { get; init; }

    /// <summary>The heads, at which schemes are compared.</summary>
    public required HeadSizes Heads { get; init; }

    /// <summary>What a token leaves, by kinds of layers.</summary>
    public required ImmutableArray<CachedLayers> Kinds { get; init; }

    /// <summary>The model as it is.</summary>
    public required CacheFigures Own { get; init; }

    /// <summary>The model with rows of every type.</summary>
    public required ImmutableArray<CacheFigures> Types { get; init; }

    /// <summary>The model's heads with other schemes, in the same type, most bytes first.</summary>
    public required ImmutableArray<CacheFigures> Schemes { get; init; }

    /// <summary>The same schemes and the model as it is, with rows of every type.</summary>
    public required ImmutableArray<SchemeInTypes> SchemesByType { get; init; }

    /// <summary>Plans for a checkpoint; its weights are not read.</summary>
    /// <exception cref="CheckpointException">It is not a model that is served; the message says why.</exception>
    /// <exception cref="ArgumentException">An option makes no sense; the message says which.</exception>
    public static CachePlan Of(Checkpoint checkpoint, CachePlanOptions options)
    {
        var plan = ModelTypes.Plan(new(checkpoint.Config, checkpoint.OpenLedger()));
        var context = options.Context ?? plan.MaxLength;
        if (context < 1 || context > plan.MaxLength)
            throw new ArgumentException($"A context of {context} tokens: {checkpoint.Name} was made for 1 to {plan.MaxLength}.");
        ImmutableArray<AttentionBlock> blocks = [.. plan.Layers.SelectMany(layer => layer.Blocks).OfType<AttentionBlock>()];
        ImmutableArray<AttentionPlan> own = [.. blocks.Select(block => block.Plan)];
        var names = string.Join(", ", blocks.Select(block => block.Family).Distinct());
        var heads = HeadsOf(own.First(attention => !attention.Branches.IsEmpty), plan.HiddenSize);
        var pageTokens = options.PageTokens ?? CacheLayout.PageTokensFor(own);
        options = options with { PageTokens = pageTokens };
        CacheFigures Figures(string name, string widths, ImmutableArray<AttentionPlan> layers, CacheType type) => CacheFigures.Of(
            name, widths, new(layers, CacheLayout.PageTokensFor(layers, pageTokens), type), layers.Length, context, options.Bytes);
        ImmutableArray<CacheFigures> InTypes(ImmutableArray<AttentionPlan> layers) =>
            [.. Enum.GetValues<CacheType>().Select(type => Figures(type.ToString().ToLowerInvariant(), $"{(RowFormat)type}", layers, type))];
        ImmutableArray<(SchemeSketch Sketch, ImmutableArray<AttentionPlan> Layers)> others =
            [.. AttentionFamilies.Sketches(heads).Select(sketch => (sketch, (ImmutableArray<AttentionPlan>)[.. own.Select(sketch.In)]))];
        return new()
        {
            Model = checkpoint.Name,
            Options = options,
            Context = context,
            Layers = own.Length,
            Heads = heads,
            Kinds = CachedLayers.Of(blocks, new(own, pageTokens, options.Type)),
            Own = Figures(names, "as it is", own, options.Type),
            Types = InTypes(own),
            Schemes = [.. others.Select(other => Figures(other.Sketch.Name, other.Sketch.Widths, other.Layers, options.Type)).OrderByDescending(figures => figures.BytesPerToken)],
            SchemesByType = [.. others.Select(other => new SchemeInTypes(other.Sketch.Name, InTypes(other.Layers))).Append(new("this model", InTypes(own)))
                .OrderByDescending(scheme => scheme.Types[0].BytesPerToken)],
        };
    }

    /// <summary>
    /// Heads are those of the first attention. Where one wide key serves all heads without maps of their own, d is what the hidden row
    /// gives each head; groups are the model's own where it has some, else the divisor of the heads nearest to a quarter of them.
    /// </summary>
    static HeadSizes HeadsOf(AttentionPlan plan, int hidden)
    {
        var (branch, shape) = (plan.Branches[0], plan.ShapeOf(plan.Branches[0]));
        var width = branch.ValueMap?.Rows ?? (shape.Groups == 1 ? Math.Min(shape.ValueWidth, hidden / branch.Heads) : shape.ValueWidth);
        var groups = branch.ValueMap is null && shape.Groups > 1 && shape.Groups < branch.Heads
            ? shape.Groups
            : Enumerable.Range(1, branch.Heads).Where(groups => branch.Heads % groups == 0).MinBy(groups => (Math.Abs(groups - branch.Heads / 4.0), -groups));
        return new(branch.Heads, groups, width);
    }
}

/// <summary>What a token leaves in each of some layers.</summary>
/// <param name="Scheme">What papers and people call the scheme.</param>
/// <param name="Rows">Which cached rows a token sees.</param>
/// <param name="Streams">What is cached and how it is stored.</param>
/// <param name="Elements">Values.</param>
/// <param name="Bytes">Their bytes, with the scales that belong to them.</param>
/// <param name="Layers">The layers, counted among the attentions.</param>
public sealed record CachedLayers(string Scheme, string Rows, string Streams, double Elements, double Bytes, ImmutableArray<int> Layers)
{
    internal static ImmutableArray<CachedLayers> Of(ImmutableArray<AttentionBlock> blocks, CacheLayout layout) =>
    [
        .. blocks.Select((block, layer) => new CachedLayers(
                block.Family, block.Plan.Rows.Description, string.Join(", ", block.Plan.Streams.Select(stream => Of(stream, layout.FormatOf(layer, stream)))),
                layout.ElementsPerToken(layer), layout.TokenBytes(layer), [layer]))
            .GroupBy(kind => kind with { Layers = default })
            .Select(kinds => kinds.Key with { Layers = [.. kinds.SelectMany(kind => kind.Layers)] }),
    ];

    static string Of(CachedStream stream, RowFormat format) =>
        $"{stream.Name} {(stream.Groups > 1 ? $"{stream.Groups} x " : "")}{stream.Width} {(stream.OwnedBy is { } owner ? "of an earlier layer" : $"as {format}")}";
}

/// <summary>What a scheme takes with rows of every type.</summary>
/// <param name="Name">The scheme.</param>
/// <param name="Types">The types.</param>
public sealed record SchemeInTypes(string Name, ImmutableArray<CacheFigures> Types);

/// <summary>What one way of caching takes.</summary>
/// <param name="Name">The scheme, or the type.</param>
/// <param name="Widths">What is cached, and where its widths come from.</param>
/// <param name="ElementsPerToken">Values that a token leaves in all layers.</param>
/// <param name="BytesPerToken">Their bytes, scales included.</param>
/// <param name="BytesPerTokenAndLayer">The same by layer, on average over all.</param>
/// <param name="TokensPerGibibyte">Tokens of sequences at the context that fit 2^30 bytes; those that windows have left behind count.</param>
/// <param name="LargestBatch">Sequences at the context that the memory of the cache holds at once, while each decodes.</param>
public sealed record CacheFigures(
    string Name, string Widths, double ElementsPerToken, double BytesPerToken, double BytesPerTokenAndLayer, long TokensPerGibibyte, long LargestBatch)
{
    internal static CacheFigures Of(string name, string widths, CacheLayout layout, int layers, int context, long bytes)
    {
        var sequence = layout.SequenceBytes(context, stepTokens: 1) + layout.States.PlaceBytes;
        return new(
            name, widths, Enumerable.Range(0, layers).Sum(layout.ElementsPerToken), layout.BytesPerToken,
            layout.BytesPerToken / layers, (long)((double)(1L << 30) / sequence * context), bytes / sequence);
    }
}
