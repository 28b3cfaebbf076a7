using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Attention;

/// <summary>
/// One quantity that every token leaves in the cache of a layer: <paramref name="Groups"/> vectors of <paramref name="Width"/> values.
/// </summary>
/// <param name="Name">What branches call it.</param>
/// <param name="From">How it is made from the layer's input.</param>
/// <param name="Width">Values of a vector.</param>
/// <param name="Groups">Vectors of a token.</param>
public sealed record CachedStream(string Name, Projection From, int Width, int Groups = 1)
{
    /// <summary>The layer whose rows these are: counted among the model's attentions, before this one; null for rows of its own.</summary>
    public int? OwnedBy { get; init; }

    /// <summary>
    /// Neighbouring tokens that share a row: tokens n * Stride up to (n + 1) * Stride leave one. What each of them makes stands in for what
    /// the ones before it made; a sum over the block is a <see cref="StateUpdate.Fold"/> in <see cref="From"/>.
    /// </summary>
    public int Stride { get; init; } = 1;

    /// <summary>How its vectors are stored, where that is part of the scheme; null where the cache's type decides.</summary>
    public RowFormat? Format { get; init; }

    /// <summary>It says what a token is, not what a layer made of it: one plane serves all layers and does not count as any layer's elements.</summary>
    public bool IsPlane { get; init; }

    /// <summary>The ids of tokens, which the first layer keeps for all.</summary>
    public static CachedStream Ids(int layer) => new("id", Projection.Of(new Step.TokenIds()), 1)
    {
        OwnedBy = layer == 0 ? null : 0, Format = CacheType.Float32, IsPlane = true,
    };

    /// <summary>Classes of tokens, which the first layer keeps for all: 1 for those of the given ids, 0 for the others.</summary>
    public static CachedStream Classes(int layer, ImmutableArray<int> ids) => new("class", Projection.Of(new Step.IsOneOf(ids)), 1)
    {
        OwnedBy = layer == 0 ? null : 0, Format = CacheType.BFloat16, IsPlane = true,
    };

    /// <summary>Values that a token leaves.</summary>
    public int Elements => OwnedBy is null && !IsPlane ? Width * Groups : 0;
}

/// <summary>Which cached rows a token sees. Layers with one rule share page tables.</summary>
/// <param name="Window">Itself and the Window - 1 tokens before it; 0 for no window.</param>
/// <param name="Chunk">Tokens of its own chunk floor(position / Chunk); 0 for no chunks.</param>
public sealed record RowPolicy(int Window = 0, int Chunk = 0)
{
    /// <summary>Every token up to itself.</summary>
    public static RowPolicy All { get; } = new();

    /// <summary>The rule in words.</summary>
    public string Description => this switch
    {
        { Window: > 0, Chunk: > 0 } => $"window {Window} in chunks of {Chunk}",
        { Window: > 0 } => $"window {Window}",
        { Chunk: > 0 } => $"chunks of {Chunk}",
        _ => "all rows",
    };

    /// <summary>The first position that a token at <paramref name="position"/> sees.</summary>
    public int FirstVisible(int position) => new ScoreRule(1, Window: Window, Chunk: Chunk).FirstVisible(position);
}

/// <summary>
/// A slice of each head's rows in a stored matrix [Heads * Stride x inputs]: head h has the rows h * Stride + Offset and Rows on.
/// As a key map the slice is used transposed, which folds a key's up-projection into the query: q . (W c) = (W^T q) . c.
/// </summary>
/// <param name="Weight">Name of the stored matrix.</param>
/// <param name="Stride">Rows of a head.</param>
/// <param name="Offset">First row of the slice.</param>
/// <param name="Rows">Rows of the slice.</param>
/// <param name="Inputs">Columns of the matrix: the width of what is cached.</param>
public sealed record HeadMap(string Weight, int Stride, int Offset, int Rows, int Inputs)
{
    /// <summary>The stored tensor is the stack that is used: [Heads x Inputs x Rows] as a key map, [Heads x Rows x Inputs] as a value map.</summary>
    public bool Ready { get; init; }

    /// <summary>One matrix [Rows x Inputs] for every head, where the slices are not rows of one stored matrix; empty where they are.</summary>
    public ImmutableArray<MadeMatrix> Made { get; init; } = [];

    /// <summary>A map of made matrices, one a head.</summary>
    public static HeadMap Of(IEnumerable<MadeMatrix> heads)
    {
        ImmutableArray<MadeMatrix> made = [.. heads];
        return new("", 0, 0, made[0].Rows, made[0].Columns) { Made = made };
    }
}

/// <summary>
/// A gate by token: keys and values are multiplied by maps of the id's row of an embedding, then normed.
/// </summary>
/// <param name="Ids">Stream of the ids.</param>
/// <param name="Embedding">The embedding.</param>
/// <param name="Keys">Factors of keys.</param>
/// <param name="Values">Factors of values.</param>
public sealed record IdGate(string Ids, Step.TokenEmbedding Embedding, HeadMap Keys, HeadMap Values)
{
    /// <summary>What the norm takes together.</summary>
    public GateSpan Span { get; init; }

    /// <summary>Added under the norm's root.</summary>
    public float Epsilon { get; init; }

    /// <summary>Factors of the norm, [heads x (key, value)]; null without a norm.</summary>
    public MadeMatrix? Weight { get; init; }

    /// <summary>What the norm adds, [heads x (key, value)]; null without a norm.</summary>
    public MadeMatrix? Bias { get; init; }
}

/// <summary>
/// Latents whose meaning depends on the class of their token. Maps on them have for each class as many columns as a latent has values, and one
/// more for what is added: see <see cref="AttendShape.Classes"/>.
/// </summary>
/// <param name="Stream">Stream of the classes.</param>
/// <param name="Count">How many classes there are.</param>
public sealed record RowClasses(string Stream, int Count);

/// <summary>
/// One softmax over cached rows. Its query has <paramref name="Heads"/> vectors, each a part for the main stream and,
/// with a rotary stream, a part for that.
/// </summary>
/// <param name="Heads">Query heads; heads h * Heads / Groups and on read group h of the main stream.</param>
/// <param name="Query">How the query vectors are made; the rotary part is already turned.</param>
/// <param name="Main">Stream whose rows give scores.</param>
public sealed record Branch(int Heads, Projection Query, string Main)
{
    /// <summary>Stream whose rows are the rotary part of every key; none when null.</summary>
    public string? Rotary { get; init; }

    /// <summary>Where the rotary part begins in a query vector.</summary>
    public int RotaryOffset { get; init; }

    /// <summary>Values of a main row that a score reads, from the first on; 0 for all.</summary>
    public int KeyWidth { get; init; }

    /// <summary>Stream of values; null when the main rows are values as well.</summary>
    public string? Value { get; init; }

    /// <summary>Stream of one vector whose values stand behind those of every group; none when null.</summary>
    public string? SharedValue { get; init; }

    /// <summary>
    /// Rotary embedding of the main part of keys where a row is read, by the row's position; null for keys that are cached as they are scored.
    /// With a key map, keys are rebuilt first.
    /// </summary>
    public RotaryPlan? Turn { get; init; }

    /// <summary>A gate on the keys and values that its maps rebuild, by the ids of the rows' tokens; null for none.</summary>
    public IdGate? Gate { get; init; }

    /// <summary>Classes of the tokens whose rows are read; null for none. Then main rows are keys and values at once, behind maps.</summary>
    public RowClasses? Classes { get; init; }

    /// <summary>Whether a score needs the key itself, so that its map cannot go into the query.</summary>
    public bool NeedsKeys => KeyMap is not null && (Turn is not null || Gate is not null);

    /// <summary>Folds the main part of a query into the main stream's space; null when it is there already.</summary>
    public HeadMap? KeyMap { get; init; }

    /// <summary>Takes a head's weighted rows out of the value stream's space; null when they are outputs already.</summary>
    public HeadMap? ValueMap { get; init; }

    /// <summary>Factor on scores.</summary>
    public required float Scale { get; init; }

    /// <summary>c in c * tanh(score / c); 0 for none.</summary>
    public float Softcap { get; init; }

    /// <summary>Tensor of one more score a head, which takes weight and gives no value; null for none.</summary>
    public string? Sinks { get; init; }

    /// <summary>From the layer's input to one number a head, or one for each of its values, whose sigmoid multiplies the head's output; null for none.</summary>
    public Projection? HeadGate { get; init; }

    /// <summary>From the heads' outputs, side by side, to the hidden width; or, in a plan with an output of its own, to what that takes.</summary>
    public required Projection Output { get; init; }
}

/// <summary>How the results of several branches become one: their sum, each weighed token by token.</summary>
/// <param name="Weights">From the layer's input to one number a branch, in their order; numbers past those weigh nothing that is there.</param>
public sealed record Combine(Projection Weights)
{
    /// <summary>From the sum to the hidden width; null when it has that.</summary>
    public Projection? Output { get; init; }
}

/// <summary>A layer's attention as data: what it caches and how that is read.</summary>
public sealed record AttentionPlan
{
    /// <summary>What a token leaves in this layer's cache.</summary>
    public required ImmutableArray<CachedStream> Streams { get; init; }

    /// <summary>How the rows are read, one softmax each. Results add up, weighed by <see cref="Combine"/> where there is one.</summary>
    public ImmutableArray<Branch> Branches { get; init; } = [];

    /// <summary>The branch of a plan that has one; setting it makes such a plan.</summary>
    public Branch Branch { get => Branches.Single(); init => Branches = [value]; }

    /// <summary>Weights of the branches' results; null where they just add up.</summary>
    public Combine? Combine { get; init; }

    /// <summary>Which rows a token sees.</summary>
    public RowPolicy Rows { get; init; } = RowPolicy.All;

    /// <summary>What the layer keeps of a sequence beside rows.</summary>
    public ImmutableArray<LayerState> States { get; init; } = [];

    /// <summary>From the layer's input to the hidden width by states alone, for a layer without branches; null for the others.</summary>
    public Projection? Recurrent { get; init; }

    /// <summary>Rows that several chains begin with, in the order in which they are made.</summary>
    public ImmutableArray<SharedRow> Shared { get; init; } = [];

    /// <summary>Values that a token leaves in this layer's cache.</summary>
    public double ElementsPerToken => Streams.GroupBy(stream => stream.Stride).Sum(rows => (double)rows.Sum(stream => stream.Elements) / rows.Key);

    /// <summary>Why the plan's parts do not fit together, in words; null where they do.</summary>
    public string? Fault
    {
        get
        {
            foreach (var stride in Streams.Select(stream => stream.Stride))
            {
                if (stride < 1 || stride != Streams[0].Stride) return $"streams whose rows hold {stride} and {Streams[0].Stride} tokens are not read together";
                if (Rows.Window % stride != 0) return $"a window of {Rows.Window} tokens cuts rows of {stride}; it must be a multiple of {stride}";
                if (Rows.Chunk % stride != 0) return $"chunks of {Rows.Chunk} tokens cut rows of {stride}; they must be multiples of {stride}";
            }

            if (Branches.Any(branch => branch.Turn is { LongFrequencies.IsEmpty: false }))
                return "keys that turn when they are read turn alike in sequences of any length, and LongRoPE turns those of long ones otherwise";
            if (Branches.Any(branch => branch.Turn is { Components.IsEmpty: false }))
                return "keys that turn when they are read have one position, not one each in time, height and width";
            return Streams is [{ Stride: > 1 }, ..] && Branches.Any(branch => branch.Turn is not null)
                ? "keys that turn when they are read have one position, which a row of several tokens has not"
                : null;
        }
    }

    /// <summary>Whether keys and values of heads can be rebuilt from the main stream, whose rows are both at once.</summary>
    public bool CanExpand => Streams.All(stream => stream.Stride == 1)
        && Branches is [{ KeyMap: not null, ValueMap: not null, Value: null, NeedsKeys: false, Classes: null }];

    /// <summary>Every chain of products that a token passes through in this layer.</summary>
    public IEnumerable<Projection> Projections =>
    [
        .. Shared.Select(row => row.From), .. new[] { Recurrent }.OfType<Projection>(), .. Streams.Where(stream => stream.OwnedBy is null).Select(stream => stream.From),
        .. Branches.SelectMany(branch => new[] { branch.Query, branch.HeadGate, branch.Output }).OfType<Projection>(),
        .. new[] { Combine?.Weights, Combine?.Output }.OfType<Projection>(),
    ];

    /// <summary>The facts of a branch's kernel.</summary>
    public AttendShape ShapeOf(Branch branch)
    {
        var main = Stream(branch.Main);
        var classes = branch.Classes?.Count ?? 0;
        if (classes > 0) main = main with { Width = classes * (main.Width + 1) };
        return new(
            branch.Heads, main.Groups, branch.KeyWidth > 0 ? branch.KeyWidth : main.Width,
            branch.Rotary is null ? 0 : Stream(branch.Rotary).Width,
            branch.Value is null ? main.Width : Stream(branch.Value).Width,
            branch.Value is null,
            branch.SharedValue is null ? 0 : Stream(branch.SharedValue).Width,
            classes);
    }

    /// <summary>Whether a stream is the part of keys that positions turn, apart from the rest.</summary>
    public bool IsRotary(CachedStream stream) => Branches.Any(branch => branch.Rotary == stream.Name);

    /// <summary>The stream of a name.</summary>
    public CachedStream Stream(string name) => Streams.FirstOrDefault(stream => stream.Name == name)
        ?? throw new InvalidOperationException($"The plan reads stream '{name}', but caches only {string.Join(", ", Streams.Select(s => s.Name))}.");
}
