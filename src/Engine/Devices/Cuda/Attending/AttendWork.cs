using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>Queries that read the same rows: neighbouring tokens of a run times neighbouring heads of a group (Unit in attend.cuh).</summary>
[StructLayout(LayoutKind.Sequential)]
readonly record struct AttendUnit(int Row, int Rows, int Position, int Group, int Head, int Heads, int Table, int First, int Last)
{
    /// <summary>The first span that any query reads.</summary>
    public int FirstSpan => First / AttendWork.SpanRows;

    /// <summary>The span behind the last that is in pages.</summary>
    public int EndSpan => Last < First ? FirstSpan : Last / AttendWork.SpanRows + 1;
}

/// <summary>
/// Some spans of a unit, for one block (Item in attend.cuh). Slot -1 is the block's own. A list begins with an entry whose first number is how many
/// follow, so that a launch does not depend on it.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
readonly record struct AttendItem(int Unit, int From, int To, int Slot, int Joins, int Finishes);

/// <summary>The states of a unit's spans, in slots one after the other, which become one result. A list begins as that of items does.</summary>
[StructLayout(LayoutKind.Sequential)]
readonly record struct AttendMerge(int Unit, int Slot, int Slots);

/// <summary>
/// An attention operation as blocks share it. Spans of 512 rows have states that merge in order, so a result's bits do not depend on how
/// work is cut, and cutting may follow the load: units with far more spans than a block's share are done span by span, others whole.
/// </summary>
sealed class AttendWork
{
    /// <summary>Rows whose partial result has a maximum of its own.</summary>
    public const int SpanRows = 512;

    AttendUnit[] _units = new AttendUnit[64];
    AttendItem[] _items = new AttendItem[64];
    AttendMerge[] _merges = new AttendMerge[64];
    int _unitCount, _itemCount, _mergeCount;

    /// <summary>What is read together.</summary>
    public ReadOnlySpan<AttendUnit> Units => _units.AsSpan(0, _unitCount);

    /// <summary>What blocks do.</summary>
    public ReadOnlySpan<AttendItem> Items => _items.AsSpan(1, _itemCount);

    /// <summary>The items behind their number.</summary>
    public ReadOnlySpan<AttendItem> ItemList
    {
        get
        {
            _items[0] = new(_itemCount, 0, 0, 0, 0, 0);
            return _items.AsSpan(0, _itemCount + 1);
        }
    }

    /// <summary>What is merged afterwards.</summary>
    public ReadOnlySpan<AttendMerge> Merges => _merges.AsSpan(1, _mergeCount);

    /// <summary>The merges behind their number.</summary>
    public ReadOnlySpan<AttendMerge> MergeList
    {
        get
        {
            _merges[0] = new(_mergeCount, 0, 0);
            return _merges.AsSpan(0, _mergeCount + 1);
        }
    }

    /// <summary>Slots that items name.</summary>
    public int Slots { get; private set; }

    /// <summary>Starts anew.</summary>
    public void Clear() => (_unitCount, _itemCount, _mergeCount, Slots) = (0, 0, 0, 0);

    /// <summary>Cuts a run into units of at most so many queries.</summary>
    public void Cut(AttendShape shape, ScoreRule rule, PagedRows rows, RowBatch batch, int run, int table, int queries)
    {
        var perGroup = shape.QueryHeads / shape.Groups;
        var parts = (perGroup + queries - 1) / queries;
        var heads = (perGroup + parts - 1) / parts;
        var together = Math.Max(1, queries / heads);
        var end = batch.RunStarts[run + 1];
        for (var row = batch.RunStarts[run]; row < end; row += together)
        {
            var (count, position) = (Math.Min(together, end - row), batch.Positions[row]);
            var (first, last) = (rows.FirstRow(rule, position), rows.LastRow(position + count - 1));
            for (var group = 0; group < shape.Groups; group++)
                for (var head = 0; head < perGroup; head += heads)
                    Push(ref _units, _unitCount++, new(
                        row, count, position, group, group * perGroup + head, Math.Min(heads, perGroup - head), table, first, last));
        }
    }

    /// <summary>Shares all spans out among blocks. No more units are split than half as many as the blocks.</summary>
    /// <param name="blocks">Blocks that keep the device busy.</param>
    /// <param name="slots">Most states that may wait to be merged.</param>
    /// <param name="open">Whether tokens have left rows open, which are a span of their own.</param>
    public void Share(int blocks, int slots, bool open)
    {
        var spans = 0L;
        foreach (var unit in Units) spans += SpansOf(unit, open);
        var share = (spans + blocks - 1) / blocks;
        for (var i = 0; i < _unitCount; i++)
        {
            var (unit, count) = (_units[i], SpansOf(_units[i], open));
            if (count < 2 * share || count < 2 || Slots + count > slots)
            {
                Add(new(i, unit.FirstSpan, unit.FirstSpan + count, -1, 0, 1));
                continue;
            }
            Push(ref _merges, ++_mergeCount, new(i, Slots, count));
            for (var span = 0; span < count; span++) Add(new(i, unit.FirstSpan + span, unit.FirstSpan + span + 1, Slots++, 0, 0));
        }
    }

    /// <summary>Adds an item.</summary>
    public void Add(AttendItem item) => Push(ref _items, ++_itemCount, item);

    /// <summary>Forgets the items, not the units.</summary>
    public void ClearItems() => (_itemCount, _mergeCount, Slots) = (0, 0, 0);

    static int SpansOf(AttendUnit unit, bool open) => unit.EndSpan - unit.FirstSpan + (open ? 1 : 0);

    static void Push<T>(ref T[] array, int at, T value)
    {
        if (at == array.Length) Array.Resize(ref array, 2 * at);
        array[at] = value;
    }
}
