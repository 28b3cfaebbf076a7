using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Tests;

/// <summary>Latents of some groups, how they are cached, and what is rebuilt of them for every head.</summary>
public sealed record ExpandedCase(int Heads, int Groups, int Latent, int Rotary, int PageRows, RowFormat Type)
{
    public int Key { get; init; } = 32;

    public int Value { get; init; } = 32;

    public StoredType Weights { get; init; } = StoredType.F32;

    public ScoreRule Rule { get; init; } = new(0.2f);

    public bool Sinks { get; init; }

    /// <summary>Values of a rebuilt key that turn.</summary>
    public int Turned { get; init; }

    /// <summary>Values are cached, a row for each head.</summary>
    public bool CachesValues { get; init; }

    /// <summary>Values of a further cached row that all heads share.</summary>
    public int Shared { get; init; }

    /// <summary>First position and number of rows of each run.</summary>
    public (int Position, int Count)[] Runs { get; init; } = [(0, 1), (5, 3), (0, 13), (40, 1), (63, 5)];

    /// <summary>Values of an id's row of the embedding that gates keys and values; 0 for no gate.</summary>
    public int Embedded { get; init; }

    public GateSpan Span { get; init; }

    /// <summary>The same rows read without expansion, which is how they are cached.</summary>
    public AttendCase Cached => new(
        CachesValues ? new(Heads, Groups, Latent, Rotary, Value, false, Shared) : new(Heads, Groups, Latent, Rotary, Latent, true), PageRows, Type)
    {
        Rule = Rule, Sinks = Sinks, Ids = Embedded > 0 ? ExpandedConformance.Ids : 0, ValueGroups = CachesValues ? Heads : 0,
    };
}

/// <summary>Attention over keys and values rebuilt from latents.</summary>
/// <param name="create">Makes the device with a number of threads.</param>
/// <param name="runs">Which cases are run, told whether rows are to stand alone, which takes longer; null for all.</param>
public abstract class ExpandedConformance(Func<int, IDevice> create, Func<ExpandedCase, bool, bool>? runs = null) : DeviceConformance(create)
{
    public const int Ids = 50;

    static readonly (int, int)[] BeyondSpans = [(511, 3), (1020, 12), (0, 2), (1535, 1)];

    public static TheoryData<ExpandedCase> Cases =>
    [
        new ExpandedCase(1, 1, 16, 0, 16, CacheType.Float32),
        new ExpandedCase(4, 1, 64, 16, 16, CacheType.BFloat16),
        new ExpandedCase(6, 1, 34, 12, 3, CacheType.Float32) { Key = 20, Value = 14 },
        new ExpandedCase(5, 1, 40, 8, 1, CacheType.BFloat16) { Key = 33, Value = 70 },
        new ExpandedCase(8, 1, 128, 64, 64, CacheType.BFloat16) { Key = 64, Value = 96, Weights = StoredType.BF16, Runs = [(0, 70), (100, 32)] },
        new ExpandedCase(8, 2, 64, 16, 64, CacheType.BFloat16) { Weights = StoredType.BF16 },
        new ExpandedCase(6, 3, 32, 0, 16, CacheType.Float32) { Key = 18, Value = 40 },
        new ExpandedCase(4, 1, 64, 16, 64, CacheType.BFloat16) { Weights = StoredType.Q8_0 },
        new ExpandedCase(4, 1, 256, 16, 64, CacheType.BFloat16) { Weights = StoredType.Q4K, Key = 20 },
        new ExpandedCase(4, 1, 64, 8, 16, CacheType.Float32) { Rule = new(0.3f, Softcap: 1.5f) },
        new ExpandedCase(4, 2, 64, 8, 16, CacheType.BFloat16) { Rule = new(0.125f, Window: 7), Sinks = true },
        new ExpandedCase(4, 1, 64, 8, 16, CacheType.Float32) { Rule = new(0.125f, Chunk: 24) },
        new ExpandedCase(4, 1, 32, 8, 64, CacheType.BFloat16) { Sinks = true, Runs = BeyondSpans },
        new ExpandedCase(2, 2, 32, 8, 16, CacheType.Float32) { Rule = new(2), Runs = BeyondSpans },
        new ExpandedCase(4, 1, 32, 0, 64, CacheType.BFloat16) { Rule = new(0.2f, Window: 600), Sinks = true, Runs = BeyondSpans },
        new ExpandedCase(4, 1, 32, 8, 64, CacheType.BFloat16) { Rule = new(0.2f, Chunk: 1000), Runs = BeyondSpans },
        new ExpandedCase(4, 1, 64, 16, 16, CacheType.Fp8),
        new ExpandedCase(8, 2, 64, 16, 64, CacheType.Int8) { Weights = StoredType.BF16, Runs = [(0, 70), (100, 32)] },
        new ExpandedCase(4, 1, 128, 16, 64, CacheType.Int4) { Runs = BeyondSpans },
        new ExpandedCase(6, 1, 24, 12, 3, new RowFormat(CacheType.Int4, 12)) { Key = 20, Value = 14 },
    ];

    /// <summary>Keys without a form of the query that reads latents.</summary>
    public static TheoryData<ExpandedCase> KeyCases =>
    [
        new ExpandedCase(5, 5, 5, 12, 16, CacheType.Float32) { Key = 12, Value = 5, Turned = 12, CachesValues = true, Shared = 12 },
        new ExpandedCase(6, 6, 56, 128, 64, CacheType.BFloat16)
        {
            Key = 128, Value = 56, Turned = 128, CachesValues = true, Shared = 128, Weights = StoredType.BF16, Runs = BeyondSpans,
        },
        new ExpandedCase(4, 1, 64, 16, 3, CacheType.Int8) { Turned = 20, Rule = new(0.2f, Window: 7), Sinks = true },
        new ExpandedCase(5, 1, 24, 8, 16, CacheType.Float32) { Key = 12, Value = 14, Embedded = 10, Span = GateSpan.All },
        new ExpandedCase(4, 1, 64, 16, 64, CacheType.BFloat16)
        {
            Key = 64, Value = 48, Embedded = 64, Span = GateSpan.Head, Weights = StoredType.BF16, Runs = BeyondSpans,
        },
        new ExpandedCase(4, 2, 24, 0, 3, CacheType.Int8) { Key = 20, Value = 33, Embedded = 7, Span = GateSpan.Part, Turned = 20 },
        new ExpandedCase(3, 1, 24, 8, 16, CacheType.Fp8) { Key = 33, Value = 16, Embedded = 16, Rule = new(0.2f, Window: 7), Sinks = true },
        new ExpandedCase(4, 4, 24, 0, 16, CacheType.BFloat16) { Key = 20, Value = 33, CachesValues = true, Rule = new(0.3f, Chunk: 24) },
        new ExpandedCase(6, 2, 64, 8, 3, CacheType.Int8)
        {
            Key = 44, Value = 20, Turned = 24, CachesValues = true, Shared = 12, Weights = StoredType.Q8_0, Rule = new(0.2f, Window: 7), Sinks = true,
        },
    ];

    [Theory, MemberData(nameof(Cases)), MemberData(nameof(KeyCases))]
    public void AttendExpanded_agrees_with_the_reference(ExpandedCase what)
    {
        Assert.SkipUnless(runs?.Invoke(what, false) ?? true, LongRun);
        Agrees($"{what}", lab =>
        {
            var cache = new CachedSequences(lab, what.Cached, [.. what.Runs.Select(run => run.Position + run.Count)]);
            var (batch, pages) = (new RowBatch(what.Runs.Sum(run => run.Count), what.Runs.Length), new PageBatch(what.Runs.Length));
            for (var owner = 0; owner < what.Runs.Length; owner++)
            {
                batch.Add(what.Runs[owner].Position, what.Runs[owner].Count);
                pages.Add(cache.Table(owner, what.Rule.FirstVisible(what.Runs[owner].Position)));
            }
            int[] ids = [.. Enumerable.Range(0, batch.Rows)];
            var output = Attend(lab, what, cache, batch, pages, ids);
            lab.Sizes = [.. Enumerable.Repeat(8f * MathF.Sqrt(what.Latent), output.Length)];
            return output;
        });
    }

    public static TheoryData<ExpandedCase> LongCases =>
    [
        new ExpandedCase(4, 1, 64, 16, 64, CacheType.BFloat16) { Weights = StoredType.BF16, Sinks = true },
        new ExpandedCase(6, 2, 40, 8, 3, CacheType.Float32) { Key = 20, Value = 14 },
        new ExpandedCase(4, 1, 32, 0, 64, CacheType.BFloat16) { Rule = new(0.2f, Window: 520) },
        new ExpandedCase(3, 3, 20, 32, 16, CacheType.BFloat16) { Key = 32, Value = 24, Turned = 32, CachesValues = true, Shared = 16 },
        new ExpandedCase(3, 1, 20, 8, 16, CacheType.BFloat16) { Key = 20, Value = 14, Embedded = 12, Span = GateSpan.All },
    ];

    [Theory, MemberData(nameof(LongCases))]
    public void Expanded_attention_of_a_row_depends_on_its_own_run_alone(ExpandedCase what)
    {
        Assert.SkipUnless(runs?.Invoke(what, true) ?? true, LongRun);
        // Rows 0 to 69 are spread over three owners, one of which ends beyond two spans; runs are cut anew for every draw.
        (int First, int Count)[] owners = [(1010, 30), (0, 25), (500, 15)];
        RowsStandAlone($"{what}", (lab, ids) =>
        {
            var cache = new CachedSequences(lab, what.Cached, [.. owners.Select(owner => owner.First + owner.Count)]);
            var (batch, pages) = (new RowBatch(ids.Length, ids.Length), new PageBatch(ids.Length));
            for (var start = 0; start < ids.Length;)
            {
                var (owner, position) = Place(ids[start]);
                var count = 1;
                while (start + count < ids.Length && Place(ids[start + count]) == (owner, position + count)) count++;
                batch.Add(position, count);
                pages.Add(cache.Table(owner, what.Rule.FirstVisible(position)));
                start += count;
            }
            return Attend(lab, what, cache, batch, pages, ids);
        });

        (int Owner, int Position) Place(int id)
        {
            var owner = 0;
            for (; id >= owners[owner].Count; owner++) id -= owners[owner].Count;
            return (owner, owners[owner].First + id);
        }
    }

    [Theory, InlineData(1), InlineData(7), InlineData(64), InlineData(130)]
    public void A_prompt_gives_the_same_bits_in_chunks_of_any_size(int chunk)
    {
        const int First = 400, Length = 600;
        var what = new ExpandedCase(3, 1, 40, 8, 16, CacheType.BFloat16) { Key = 20, Value = 14 };
        SameBits($"chunks of {chunk}", Prefill(Length, 3), Prefill(chunk, 2));

        float[] Prefill(int size, int threads)
        {
            using var lab = new DeviceLab(Device(threads), 5, loose: false);
            var cache = new CachedSequences(lab, what.Cached, [Length]);
            var outputs = new List<float>();
            for (var at = First; at < Length; at += size)
            {
                var count = Math.Min(size, Length - at);
                var (batch, pages) = (new RowBatch(count, 1), new PageBatch(1));
                batch.Add(at, count);
                pages.Add(cache.Table(0));
                outputs.AddRange(Attend(lab, what, cache, batch, pages, [.. Enumerable.Range(at, count)]));
            }
            return [.. outputs];
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Expanded_and_absorbed_attention_are_equal(ExpandedCase what)
    {
        // The maps' inputs are the latents; absorbed, the transposed key map goes into the query and the value map comes after.
        if (what.Weights != StoredType.F32) return;
        using var lab = new DeviceLab(Device(), 9, loose: false);
        var cache = new CachedSequences(lab, what.Cached, [90]);
        var (batch, pages) = (new RowBatch(30, 1), new PageBatch(1));
        batch.Add(60, 30);
        pages.Add(cache.Table(0, what.Rule.FirstVisible(60)));
        int[] ids = [.. Enumerable.Range(60, 30)];
        using var stock = new DeviceLab(lab.Device, 77, loose: false);
        var keys = stock.Stored(what.Weights, what.Heads, what.Key, what.Latent);
        var values = stock.Stored(what.Weights, what.Heads, what.Value, what.Latent);
        var query = Absorb(lab, keys, what, ids);
        var latents = lab.Blank(30, what.Heads, what.Latent);
        var rotary = what.Rotary > 0 ? lab.DrawRows(ids, what.Heads, what.Rotary, salt: 12) : default;
        var rule = what.Sinks ? what.Rule with { Sinks = lab.DrawRows([0], 1, what.Heads, salt: 13) } : what.Rule;
        lab.Device.Attend(what.Cached.Shape, rule, query, rotary, cache.Rows, batch, pages, latents);
        var absorbed = lab.Blank(30, what.Heads, what.Value);
        lab.Device.MultiplyHeads(lab.Device.Load(values), latents, absorbed);
        Near($"{what}", lab.Read(absorbed), Attend(lab, what, cache, batch, pages, ids), null, 1e-4);
    }

    [Fact]
    public void Matrices_of_another_latent_width_are_refused_with_the_sizes()
    {
        var what = new ExpandedCase(4, 1, 32, 8, 16, CacheType.BFloat16);
        using var lab = new DeviceLab(Device(), 3, loose: false);
        var cache = new CachedSequences(lab, what.Cached, [32]);
        var (batch, pages) = (new RowBatch(1, 1), new PageBatch(1));
        batch.Add(0, 1);
        pages.Add(cache.Table(0));
        var error = Assert.ThrowsAny<ArgumentException>(() => Attend(lab, what with { Latent = 48 }, cache, batch, pages, [0]));
        Assert.Contains("48", error.Message);
        Assert.Contains("[16 x 1 x 32]", error.Message);
    }

    static Tensor Absorb(DeviceLab lab, StoredTensor keys, ExpandedCase what, int[] ids)
    {
        var (drawn, widened) = (lab.Read(lab.DrawRows(ids, what.Heads, what.Key, salt: 11)), RowWidening.Widen(keys));
        var query = new float[ids.Length * what.Heads * what.Latent];
        for (var i = 0; i < drawn.Length; i++)
            for (var c = 0; c < what.Latent; c++)
                query[i / what.Key * what.Latent + c] += drawn[i] * widened[i % (what.Heads * what.Key) * what.Latent + c];
        return lab.Put(query, ids.Length, what.Heads, what.Latent);
    }

    static RowGate? Gate(DeviceLab lab, DeviceLab stock, ExpandedCase what)
    {
        if (what.Embedded == 0) return null;
        Tensor Factors(int width, int salt) => lab.DrawRows([0], 1, what.Heads * width, salt);
        return new(
            lab.Device.Load(stock.Stored(what.Weights, Ids, what.Embedded)),
            lab.Device.Load(stock.Stored(what.Weights, what.Heads, what.Key, what.Embedded)),
            lab.Device.Load(stock.Stored(what.Weights, what.Heads, what.Value, what.Embedded)),
            what.Span == GateSpan.None ? default
                : new(what.Span, 1e-3f, Factors(what.Key, 21), Factors(what.Key, 22), Factors(what.Value, 23), Factors(what.Value, 24)));
    }

    static float[] Attend(DeviceLab lab, ExpandedCase what, CachedSequences cache, RowBatch batch, PageBatch pages, int[] ids)
    {
        // Weights are drawn by a generator of their own: the same for every batch.
        using var stock = new DeviceLab(lab.Device, 77, loose: false);
        var expansion = new Expansion(
            lab.Device.Load(stock.Stored(what.Weights, what.Heads, what.Key, what.Latent)),
            what.CachesValues ? null : lab.Device.Load(stock.Stored(what.Weights, what.Heads, what.Value, what.Latent)), Gate(lab, stock, what));
        var main = lab.DrawRows(ids, what.Heads, what.Key, salt: 11);
        var rotary = what.Rotary > 0 ? lab.DrawRows(ids, what.Heads, what.Rotary, salt: 12) : default;
        var rule = AttendCase.Rules(lab, what.Rule, what.Sinks ? what.Heads : 0, what.Turned, interleaved: false, batch);
        var destination = lab.Blank(batch.Rows, what.Heads, what.Value + what.Shared);
        lab.Device.AttendExpanded(rule, expansion, main, rotary, cache.Rows, batch, pages, destination);
        return lab.Read(destination);
    }
}
