using Serving.Devices;

namespace Serving.Tests;

/// <summary>Rows that several tokens share: closed ones in pages, and the one that each token of a step leaves open.</summary>
public abstract class SharedRowConformance(Func<int, IDevice> create) : DeviceConformance(create)
{
    const int Tokens = 75;

    public static TheoryData<int, int, int, CacheType> Cases => new()
    {
        { 2, 0, 0, CacheType.Float32 }, { 3, 0, 0, CacheType.BFloat16 }, { 2, 8, 0, CacheType.Float32 }, { 3, 0, 12, CacheType.BFloat16 },
        { 4, 12, 24, CacheType.Int8 }, { 5, 5, 0, CacheType.Fp8 },
    };

    [Theory, MemberData(nameof(Cases))]
    public void Tokens_read_closed_rows_and_their_own(int stride, int window, int chunk, CacheType type)
    {
        foreach (var (heads, groups) in new[] { (5, 1), (1, 1), (8, 2) })
            Agrees($"{heads} heads on {groups} groups, rows of {stride}", lab =>
            {
                lab.Sizes = [.. Enumerable.Repeat(8f, Tokens * heads * 40)];
                return Run(lab, new(heads, groups, 40, 8, 40, true), stride, new(0.2f, Window: window, Chunk: chunk), type, [Tokens]);
            });
    }

    [Theory, MemberData(nameof(Cases))]
    public void A_sequence_in_pieces_reads_as_it_does_whole(int stride, int window, int chunk, CacheType type)
    {
        var whole = Pieces([Tokens], 1);
        foreach (var pieces in new int[][] { [1, 2, 3, 4, 5, 60], [.. Enumerable.Repeat(5, 15)], [.. Enumerable.Repeat(1, Tokens)] })
            SameBits($"rows of {stride} in {pieces.Length} pieces", whole, Pieces(pieces, 3));

        float[] Pieces(int[] pieces, int threads)
        {
            using var lab = new DeviceLab(Device(threads), 3, loose: false);
            return Run(lab, new(4, 2, 33, 8, 33, true), stride, new(0.2f, Window: window, Chunk: chunk), type, pieces);
        }
    }

    [Fact]
    public void Long_sequences_read_alike_whichever_way_work_is_shared()
    {
        // Beyond spans: with few units their spans are shared out, with one worker they are not.
        SameBits("long", Long(1), Long(3));

        float[] Long(int threads)
        {
            using var lab = new DeviceLab(Device(threads), 3, loose: false);
            return Run(lab, new(2, 1, 32, 8, 32, true), 2, new(0.2f), CacheType.Float32, [2300, 1, 2], 2303)[^(3 * 64)..];
        }
    }

    [Fact]
    public void Rows_without_room_to_stay_open_and_rows_of_other_tokens_are_refused()
    {
        using var lab = new DeviceLab(Device(), 3, loose: false);
        var (batch, pages) = Step(0, 2);
        var stream = Stream(lab, 1, 16, 2, CacheType.Float32, 64);
        Assert.ThrowsAny<ArgumentException>(() => lab.Device.WriteRows(lab.Draw(2, 1, 16), stream with { Open = 0 }, batch, pages));
        var (query, output) = (lab.Draw(2, 1, 16), lab.Blank(2, 1, 16));
        var error = Assert.ThrowsAny<ArgumentException>(() => lab.Device.Attend(
            new(1, 1, 16, 8, 16, true), new(1), query, lab.Draw(2, 1, 8), new(stream, Stream(lab, 1, 8, 1, CacheType.Float32, 64), default), batch, pages, output));
        Assert.NotNull(error.Message);
    }

    static float[] Run(DeviceLab lab, AttendShape shape, int stride, ScoreRule rule, CacheType type, int[] pieces, int tokens = Tokens)
    {
        var main = Stream(lab, shape.Groups, shape.MainWidth, stride, type, tokens);
        var rotary = Stream(lab, 1, shape.RotaryWidth, stride, type, tokens);
        var (outputs, first) = (new List<float>(), 0);
        foreach (var count in pieces)
        {
            var (batch, pages) = Step(first, count);
            int[] ids = [.. Enumerable.Range(first, count)];
            lab.Device.WriteRows(lab.DrawRows(ids, shape.Groups, shape.MainWidth, 1), main, batch, pages);
            lab.Device.WriteRows(lab.DrawRows(ids, 1, shape.RotaryWidth, 2), rotary, batch, pages);
            var output = lab.Blank(count, shape.QueryHeads, shape.ValueWidth);
            lab.Device.Attend(
                shape, rule, lab.DrawRows(ids, shape.QueryHeads, shape.MainWidth, 3), lab.DrawRows(ids, shape.QueryHeads, shape.RotaryWidth, 4),
                new(main, rotary, default), batch, pages, output);
            outputs.AddRange(lab.Read(output));
            first += count;
        }
        return [.. outputs];
    }

    /// <summary>Pages of six rows, whose tokens' table runs backwards.</summary>
    static PagedRows Stream(DeviceLab lab, int groups, int width, int stride, CacheType type, int tokens)
    {
        RowFormat format = type;
        var page = (6L * groups * format.VectorBytes(width) + 63) / 64 * 64;
        return new(lab.Allocate(page * 500), page, 6, groups, width, format)
        {
            Stride = stride, Open = stride == 1 ? 0 : lab.Allocate((long)tokens * groups * format.VectorBytes(width)),
        };
    }

    static (RowBatch Batch, PageBatch Pages) Step(int first, int count)
    {
        var (batch, pages) = (new RowBatch(count, 1), new PageBatch(1));
        batch.Clear();
        pages.Clear();
        batch.Add(first, count);
        pages.Add([.. Enumerable.Range(0, 500).Reverse()]);
        return (batch, pages);
    }
}
