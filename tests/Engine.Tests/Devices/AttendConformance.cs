using Serving.Devices;

namespace Serving.Tests;

/// <summary>A shape, how its rows are cached, and what the kernel is told.</summary>
public sealed record AttendCase(AttendShape Shape, int PageRows, RowFormat Type)
{
    /// <summary>Width of the main stream, of which a score may read a prefix.</summary>
    public int KeyWidth { get; init; } = Shape.MainWidth;

    public ScoreRule Rule { get; init; } = new(1 / MathF.Sqrt(Shape.MainWidth + Shape.RotaryWidth));

    public bool Sinks { get; init; }

    /// <summary>Values of a key that turn when it is read.</summary>
    public int Turned { get; init; }

    public bool Interleaved { get; init; }

    /// <summary>Ids that tokens may have, where they are cached.</summary>
    public int Ids { get; init; }

    /// <summary>Vectors of values that a token leaves; 0 for one a group.</summary>
    public int ValueGroups { get; init; }

    /// <summary>The rule with the tensors it names.</summary>
    public static ScoreRule Rules(DeviceLab lab, ScoreRule rule, int sinks, int turned, bool interleaved, RowBatch batch)
    {
        if (sinks > 0) rule = rule with { Sinks = lab.DrawRows([0], 1, sinks, salt: 13) };
        return turned == 0 ? rule
            : rule with { Turn = new(lab.DrawRows([.. Enumerable.Range(0, batch.Last + 1)], 1, turned, salt: 14), interleaved) };
    }

    /// <summary>First position and number of rows of each run.</summary>
    public (int Position, int Count)[] Runs { get; init; } = [(0, 1), (5, 3), (0, 13), (40, 1), (63, 5)];
}

/// <summary>Cached rows: writing, reading by attention, copying.</summary>
/// <param name="create">Makes the device with a number of threads.</param>
/// <param name="tolerance">How far a result may be off, as a part of its size.</param>
/// <param name="runs">Which cases are run, told whether rows are to stand alone, which takes longer; null for all.</param>
public abstract class AttendConformance(Func<int, IDevice> create, double tolerance = 1e-5, Func<AttendCase, bool, bool>? runs = null)
    : DeviceConformance(create)
{
    static readonly (int, int)[] BeyondSpans = [(511, 3), (1020, 12), (0, 2), (1535, 1)];

    public static TheoryData<AttendCase> Cases =>
    [
        new AttendCase(new(1, 1, 16, 0, 16, false), 16, CacheType.Float32),
        new AttendCase(new(4, 1, 64, 0, 64, false), 16, CacheType.BFloat16),
        new AttendCase(new(9, 3, 64, 0, 64, false), 64, CacheType.BFloat16),
        new AttendCase(new(8, 8, 32, 0, 32, false), 3, CacheType.Float32),
        new AttendCase(new(8, 8, 33, 0, 31, false), 1, CacheType.BFloat16),
        new AttendCase(new(16, 4, 80, 0, 80, false), 64, CacheType.BFloat16),
        new AttendCase(new(6, 2, 256, 0, 128, false), 16, CacheType.BFloat16),
        new AttendCase(new(5, 1, 40, 8, 40, true), 16, CacheType.Float32),
        new AttendCase(new(16, 1, 512, 64, 512, true), 64, CacheType.BFloat16),
        new AttendCase(new(3, 1, 512, 64, 512, true), 3, CacheType.Float32),
        new AttendCase(new(8, 2, 128, 32, 128, true), 64, CacheType.BFloat16),
        new AttendCase(new(12, 4, 24, 6, 24, true), 16, CacheType.BFloat16),
        new AttendCase(new(4, 2, 32, 32, 64, true), 16, CacheType.BFloat16) { KeyWidth = 64 },
        new AttendCase(new(4, 2, 64, 16, 48, true), 16, CacheType.Float32),
        new AttendCase(new(4, 2, 64, 16, 48, false), 64, CacheType.BFloat16),
        new AttendCase(new(7, 7, 7, 0, 7, false), 3, CacheType.Float32) { Rule = new(0.3f, Softcap: 1.5f) },
        new AttendCase(new(8, 2, 64, 0, 64, false), 16, CacheType.BFloat16) { Rule = new(0.125f, Softcap: 30, Window: 7) },
        new AttendCase(new(8, 2, 64, 0, 64, false), 16, CacheType.BFloat16) { Rule = new(0.125f, Window: 16), Sinks = true },
        new AttendCase(new(8, 2, 64, 0, 64, false), 16, CacheType.Float32) { Rule = new(0.125f, Chunk: 24) },
        new AttendCase(new(8, 1, 64, 16, 64, true), 16, CacheType.BFloat16) { Rule = new(0.125f, Window: 1), Sinks = true },
        new AttendCase(new(4, 1, 64, 0, 64, false), 64, CacheType.BFloat16) { Sinks = true, Runs = BeyondSpans },
        new AttendCase(new(4, 2, 32, 8, 32, true), 16, CacheType.BFloat16) { Runs = BeyondSpans },
        new AttendCase(new(4, 2, 32, 0, 32, false), 3, CacheType.Float32) { Rule = new(0.2f, Softcap: 20), Runs = BeyondSpans },
        new AttendCase(new(4, 2, 32, 0, 32, false), 64, CacheType.BFloat16) { Rule = new(0.2f, Window: 600), Sinks = true, Runs = BeyondSpans },
        new AttendCase(new(4, 2, 32, 0, 32, false), 64, CacheType.BFloat16) { Rule = new(0.2f, Chunk: 1000), Runs = BeyondSpans },
        new AttendCase(new(4, 2, 32, 0, 32, false), 16, CacheType.BFloat16) { Rule = new(2), Runs = BeyondSpans },
        new AttendCase(new(4, 4, 32, 0, 32, false), 64, CacheType.BFloat16) { Runs = [(0, 70)] },
        new AttendCase(new(32, 4, 64, 16, 64, true), 64, CacheType.BFloat16) { Runs = [(0, 70), (100, 32)] },
        new AttendCase(new(6, 1, 14, 0, 14, true), 16, CacheType.Float32) { Turned = 14 },
        new AttendCase(new(64, 1, 256, 0, 256, true), 64, CacheType.BFloat16) { Turned = 256, Runs = BeyondSpans },
        new AttendCase(new(4, 2, 64, 16, 48, true), 3, CacheType.Int8) { Turned = 32, Interleaved = true },
        new AttendCase(new(4, 2, 40, 0, 32, false), 16, CacheType.BFloat16) { Turned = 38, Rule = new(0.2f, Window: 7), Sinks = true },
        new AttendCase(new(4, 1, 50, 8, 50, true, Classes: 2), 16, CacheType.Float32) { KeyWidth = 24, Ids = 2 },
        new AttendCase(new(3, 1, 66, 16, 66, true, Classes: 2), 64, CacheType.BFloat16) { KeyWidth = 32, Ids = 2, Runs = BeyondSpans },
        new AttendCase(new(6, 2, 102, 0, 102, true, Classes: 3), 3, CacheType.Int8) { KeyWidth = 33, Ids = 3, Rule = new(0.2f, Window: 7), Sinks = true },
        new AttendCase(new(5, 5, 6, 12, 6, false, 12), 16, CacheType.Float32),
        new AttendCase(new(6, 6, 56, 128, 56, false, 128), 64, CacheType.BFloat16) { Runs = BeyondSpans },
        new AttendCase(new(6, 2, 32, 8, 33, false, 31), 3, CacheType.Fp8) { Rule = new(0.2f, Chunk: 24), Sinks = true },
        new AttendCase(new(8, 2, 64, 0, 64, false), 16, CacheType.Fp8),
        new AttendCase(new(16, 1, 512, 64, 512, true), 64, CacheType.Fp8),
        new AttendCase(new(7, 7, 23, 7, 23, true), 3, CacheType.Fp8) { Runs = BeyondSpans },
        new AttendCase(new(8, 2, 128, 0, 128, false), 16, CacheType.Int8) { Rule = new(0.1f, Window: 20), Sinks = true },
        new AttendCase(new(16, 1, 512, 64, 512, true), 64, CacheType.Int8),
        new AttendCase(new(9, 3, 80, 0, 80, false), 16, CacheType.Int8) { Runs = BeyondSpans },
        new AttendCase(new(4, 2, 24, 6, 24, true), 3, CacheType.Int8),
        new AttendCase(new(8, 2, 64, 0, 64, false), 16, CacheType.Int4) { Runs = BeyondSpans },
        new AttendCase(new(16, 1, 512, 64, 512, true), 64, CacheType.Int4),
        new AttendCase(new(4, 2, 32, 32, 64, true), 16, CacheType.Int4) { KeyWidth = 64 },
        new AttendCase(new(5, 1, 33, 8, 31, false), 3, CacheType.Int4),
        new AttendCase(new(5, 1, 24, 8, 24, true), 16, new RowFormat(CacheType.Int4, 12)),
        new AttendCase(new(4, 2, 256, 0, 256, false), 16, new RowFormat(CacheType.Int4, 64)),
        new AttendCase(new(4, 2, 100, 0, 68, false), 16, new RowFormat(CacheType.Int8, 16)),
    ];

    [Theory, MemberData(nameof(Cases))]
    public void Attend_agrees_with_the_reference(AttendCase what)
    {
        Assert.SkipUnless(runs?.Invoke(what, false) ?? true, LongRun);
        Agrees($"{what}", lab =>
        {
            var cache = new CachedSequences(lab, what, [.. what.Runs.Select(run => run.Position + run.Count)]);
            var (batch, pages) = Empty(what.Runs.Sum(run => run.Count), what.Runs.Length);
            for (var owner = 0; owner < what.Runs.Length; owner++)
            {
                batch.Add(what.Runs[owner].Position, what.Runs[owner].Count);
                pages.Add(cache.Table(owner, what.Rule.FirstVisible(what.Runs[owner].Position)));
            }
            int[] ids = [.. Enumerable.Range(0, batch.Rows)];
            var output = Attend(lab, what, cache, batch, pages, ids);
            lab.Sizes = [.. Enumerable.Repeat(8f, output.Length)];
            return output;
        }, tolerance);
    }

    public static TheoryData<AttendCase> LongCases =>
    [
        new AttendCase(new(4, 2, 32, 0, 32, false), 16, CacheType.BFloat16) { Sinks = true },
        new AttendCase(new(8, 1, 64, 16, 64, true), 64, CacheType.BFloat16),
        new AttendCase(new(5, 1, 40, 8, 40, true), 3, CacheType.Float32),
        new AttendCase(new(4, 2, 32, 0, 32, false), 64, CacheType.BFloat16) { Rule = new(0.2f, Window: 520) },
        new AttendCase(new(4, 2, 32, 8, 32, false, 16), 64, CacheType.BFloat16) { Turned = 32 },
        new AttendCase(new(4, 1, 66, 8, 66, true, Classes: 2), 64, CacheType.BFloat16) { KeyWidth = 32, Ids = 2 },
        new AttendCase(new(4, 2, 48, 0, 48, false), 16, CacheType.Fp8),
        new AttendCase(new(4, 1, 64, 16, 64, true), 16, CacheType.Int8),
        new AttendCase(new(4, 1, 64, 16, 64, true), 16, CacheType.Int4),
    ];

    [Theory, MemberData(nameof(LongCases))]
    public void Attention_of_a_row_depends_on_its_own_run_alone(AttendCase what)
    {
        Assert.SkipUnless(runs?.Invoke(what, true) ?? true, LongRun);
        // Rows 0 to 69 are spread over three owners, one of which ends beyond two spans.
        (int First, int Count)[] owners = [(1010, 30), (0, 25), (500, 15)];
        RowsStandAlone($"{what}", (lab, ids) =>
        {
            var cache = new CachedSequences(lab, what, [.. owners.Select(owner => owner.First + owner.Count)]);
            var (batch, pages) = Empty(ids.Length, ids.Length);
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

    [Theory, MemberData(nameof(Types))]
    public void A_copied_page_reads_as_its_original_and_others_stay(CacheType type)
    {
        var what = new AttendCase(new(4, 2, 33, 8, 31, false), 16, type);
        using var lab = new DeviceLab(Device(), 3, loose: false);
        var cache = new CachedSequences(lab, what, [40, 50]);
        float[][] before = [One(cache.Table(0), 39), One(cache.Table(1), 49)];

        // The fork of owner 0 takes its last page to a spare one.
        int[] fork = [.. cache.Table(0)];
        int spare = Enumerable.Range(1, 9).Except(cache.Table(0)).Except(cache.Table(1)).First();
        foreach (var stream in cache.Streams) lab.Device.CopyPages(stream, [fork[2]], [spare]);
        fork[2] = spare;

        SameBits("fork", before[0], One(fork, 39));
        SameBits("original", before[0], One(cache.Table(0), 39));
        SameBits("neighbour", before[1], One(cache.Table(1), 49));

        float[] One(int[] table, int position)
        {
            var (batch, pages) = Empty(1, 1);
            batch.Add(position, 1);
            pages.Add(table);
            return Attend(lab, what, cache, batch, pages, [position]);
        }
    }

    [Fact]
    public void Rows_written_in_pieces_read_as_rows_written_at_once()
    {
        // One owner's rows are written 5 at a time; attention over them must have the bits of one write.
        var what = new AttendCase(new(4, 2, 32, 8, 32, true), 16, CacheType.BFloat16);
        SameBits("pieces", Write([37]), Write([5, 5, 5, 5, 5, 5, 5, 2]));

        float[] Write(int[] pieces)
        {
            using var lab = new DeviceLab(Device(), 3, loose: false);
            var cache = new CachedSequences(lab, what, [37]);
            var first = 0;
            foreach (var count in pieces)
            {
                var (batch, pages) = Empty(count, 1);
                batch.Add(first, count);
                pages.Add(cache.Table(0));
                int[] ids = [.. Enumerable.Range(first, count)];
                lab.Device.WriteRows(lab.DrawRows(ids, 2, 32, salt: 1), cache.Streams[0], batch, pages);
                lab.Device.WriteRows(lab.DrawRows(ids, 1, 8, salt: 2), cache.Streams[1], batch, pages);
                first += count;
            }
            var (last, table) = Empty(1, 1);
            last.Add(36, 1);
            table.Add(cache.Table(0));
            return Attend(lab, what, cache, last, table, [36]);
        }
    }

    public static TheoryData<CacheType> Types => [.. Enum.GetValues<CacheType>()];

    [Theory, MemberData(nameof(Types))]
    public void A_row_is_read_as_it_is_stored_to_the_last_bit(CacheType type)
    {
        // A token that sees itself alone says its own value row. Sizes and group sizes are on and off a kernel's steps.
        foreach (var (width, group) in new[] { (7, 32), (16, 16), (32, 32), (80, 32), (96, 0), (129, 64), (24, 12), (512, 128) })
        {
            var format = ((RowFormat)type).HasScales ? new RowFormat(type, group) : type;
            using var lab = new DeviceLab(Device(), 3, loose: false);
            var values = Awkward(width);
            var stream = new PagedRows(lab.Allocate(4096 * 3), 4096, 1, 1, width, format);
            var (batch, pages) = Empty(1, 1);
            batch.Add(0, 1);
            pages.Add([1]);
            lab.Device.WriteRows(lab.Put(values, 1, 1, width), stream, batch, pages);
            var destination = lab.Blank(1, 1, width);
            lab.Device.Attend(new(1, 1, width, 0, width, true), new(0.01f), lab.Draw(1, 1, width), default, new(stream, default, default), batch, pages, destination);
            var stored = new byte[format.VectorBytes(width)];
            RowCoding.Encode(format, values, stored);
            float[] expected = [.. Enumerable.Range(0, width).Select(i => RowCoding.Decode(format, stored, width, i) + 0f)];
            float[] actual = [.. lab.Read(destination).Select(value => value + 0f)];
            if (format.HasScales && tolerance > 1e-5) Near($"{format}, {width} wide", expected, actual, [.. expected.Select(Math.Abs)], tolerance);
            else SameBits($"{format}, {width} wide", expected, actual);
        }

        // Sizes from tiny to large, halves of the steps of whole numbers, and groups of zeros.
        static float[] Awkward(int width) => [.. Enumerable.Range(0, width).Select(i => (i / 24 % 4, i % 24) switch
        {
            (0, 0) => 7f,
            (0, var at) => (at - 12) / 2f,
            (1, var at) => MathF.Pow(2, at - 12) * (at % 2 == 0 ? 1.0625f : -1.1875f),
            (2, _) => 0,
            (_, var at) => MathF.Sin(i) * 300,
        })];
    }

    [Fact]
    public void A_position_past_the_page_table_is_refused_with_its_numbers()
    {
        var what = new AttendCase(new(4, 2, 32, 0, 32, false), 16, CacheType.BFloat16);
        using var lab = new DeviceLab(Device(), 3, loose: false);
        var cache = new CachedSequences(lab, what, [32]);
        var (batch, pages) = Empty(1, 1);
        batch.Add(32, 1);
        pages.Add(cache.Table(0));
        var vectors = lab.Draw(1, 2, 32);
        var error = Assert.ThrowsAny<ArgumentException>(() => lab.Device.WriteRows(vectors, cache.Streams[0], batch, pages));
        Assert.Contains("32", error.Message);
        Assert.Contains("2 pages of 16", error.Message);
        Assert.ThrowsAny<ArgumentException>(() => Attend(lab, what, cache, batch, pages, [0]));
    }

    static float[] Attend(DeviceLab lab, AttendCase what, CachedSequences cache, RowBatch batch, PageBatch pages, int[] ids)
    {
        var shape = what.Shape;
        var main = lab.DrawRows(ids, shape.QueryHeads, shape.MainWidth, salt: 11);
        var rotary = shape.RotaryWidth > 0 ? lab.DrawRows(ids, shape.QueryHeads, shape.RotaryWidth, salt: 12) : default;
        var rule = AttendCase.Rules(lab, what.Rule, what.Sinks ? shape.QueryHeads : 0, what.Turned, what.Interleaved, batch);
        var destination = lab.Blank(batch.Rows, shape.QueryHeads, shape.OutputWidth);
        lab.Device.Attend(shape, rule, main, rotary, cache.Rows, batch, pages, destination);
        return lab.Read(destination);
    }

    static (RowBatch Batch, PageBatch Pages) Empty(int rows, int runs)
    {
        var made = (Batch: new RowBatch(rows, runs), Pages: new PageBatch(runs));
        made.Batch.Clear();
        made.Pages.Clear();
        return made;
    }
}
