using Serving.Devices;

namespace Serving.Tests;

/// <summary>
/// Cached rows of several owners on one device, in shuffled pages that were used before. All streams of a page lie side by side,
/// so a stream's pages are further apart than they are long. A row's content is a function of owner and position alone.
/// </summary>
public sealed class CachedSequences
{
    const int Spare = 3;
    const int Ids = 4;

    readonly DeviceLab _lab;
    readonly int[][] _tables;
    readonly int _ids;

    public CachedSequences(DeviceLab lab, AttendCase what, int[] lengths)
    {
        _lab = lab;
        var shape = what.Shape;
        var counts = lengths.Select(length => (length + what.PageRows - 1) / what.PageRows).ToArray();
        var ids = Enumerable.Range(1, counts.Sum() + Spare - 1).ToArray();
        lab.Random.Shuffle(ids);
        _tables = [.. counts.Select((count, owner) => ids.Skip(counts.Take(owner).Sum()).Take(count).ToArray())];

        (int Groups, int Width)[] vectors =
        [
            (shape.Groups, what.KeyWidth),
            (1, shape.RotaryWidth),
            (what.ValueGroups > 0 ? what.ValueGroups : shape.Groups, shape.ValueInMain ? 0 : shape.ValueWidth),
            (1, shape.SharedValueWidth),
            (1, what.Ids > 0 ? 1 : 0),
        ];
        RowFormat Format(int stream) => stream == Ids ? CacheType.Float32 : what.Type;
        _ids = what.Ids;
        var bytes = vectors.Select((part, i) => (what.PageRows * part.Groups * Format(i).VectorBytes(part.Width) + 63L) / 64 * 64).ToArray();
        var region = lab.Allocate(bytes.Sum() * (counts.Sum() + Spare));
        Streams = [.. vectors.Select((part, i) => part.Width == 0 ? default : new PagedRows(
            region + (nint)bytes.Take(i).Sum(), bytes.Sum(), what.PageRows, part.Groups, part.Width, Format(i)))];

        // What former owners left behind is large: a kernel that gives it weight is far off. What stands for pages behind the window is no number:
        // a kernel that reads it is found even where it gives it none.
        WriteAll(
            [[.. Enumerable.Range(0, counts.Sum() + Spare)]], [(counts.Sum() + Spare) * what.PageRows],
            (_, position, part) => position < what.PageRows ? float.NaN : part % 2 == 0 ? 300 : -300);
        WriteAll(_tables, lengths, null);
    }

    public PagedRows[] Streams { get; }

    public AttendRows Rows => new(Streams[0], Streams[1], Streams[2], Streams[3], Streams[Ids]);

    /// <summary>The table of an owner; entries of pages that lie wholly before <paramref name="first"/> name a page of garbage.</summary>
    public int[] Table(int owner, int first = 0) =>
        [.. _tables[owner].Select((page, i) => (i + 1) * Streams[0].RowsPerPage <= first ? 0 : page)];

    void WriteAll(int[][] tables, int[] lengths, Func<int, int, int, float>? content)
    {
        var (batch, pages) = (new RowBatch(lengths.Sum(), lengths.Length), new PageBatch(lengths.Length));
        batch.Clear();
        pages.Clear();
        for (var owner = 0; owner < lengths.Length; owner++)
        {
            batch.Add(0, lengths[owner]);
            pages.Add(tables[owner]);
        }
        for (var i = 0; i < Streams.Length; i++)
        {
            var stream = Streams[i];
            if (stream.IsEmpty) continue;
            var values = new List<float>(batch.Rows * stream.Groups * stream.Width);
            for (var owner = 0; owner < lengths.Length; owner++)
                for (var position = 0; position < lengths[owner]; position++)
                    if (content is not null)
                        for (var part = 0; part < stream.Groups * stream.Width; part++) values.Add(content(owner, position, part));
                    else
                        values.AddRange(Row(owner, position, i, stream.Groups * stream.Width));
            _lab.Device.WriteRows(_lab.Put([.. values], batch.Rows, stream.Groups, stream.Width), stream, batch, pages);
        }
    }

    float[] Row(int owner, int position, int stream, int count)
    {
        var random = new Random((owner * 5 + stream) * 1_000_003 + position);
        if (stream == Ids) return [random.Next(_ids)];
        var values = new float[count];
        for (var i = 0; i < count; i++) values[i] = (float)(random.NextDouble() * 2 - 1) * 2;
        return values;
    }
}
