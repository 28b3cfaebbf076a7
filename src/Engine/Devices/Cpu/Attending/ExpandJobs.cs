namespace Serving.Devices.Cpu;

/// <summary>Widens the rows of some neighbouring positions, stream after stream, into the scratch of a span.</summary>
unsafe struct GatherJob : IJob
{
    /// <summary>Positions of a part.</summary>
    public const int PartRows = 32;

    public AttendRows Cached;
    public int* Table;
    public int From, Count;

    /// <summary>Where the first position goes, and floats from one to the next.</summary>
    public float* Rows;
    public int Stride;

    public readonly void Run(int part, int worker)
    {
        var end = Math.Min(Count, (part + 1) * PartRows);
        for (var place = part * PartRows; place < end; place++)
        {
            var (page, row) = Math.DivRem(From + place, Cached.Main.RowsPerPage);
            var at = Rows + (long)place * Stride;
            at = Widen(Cached.Main, page, row, at);
            at = Widen(Cached.Rotary, page, row, at);
            Widen(Cached.Ids, page, row, at);
        }
    }

    readonly float* Widen(in PagedRows stream, int page, int row, float* at)
    {
        for (var group = 0; group < stream.Groups; group++, at += stream.Width)
            RowReading.Widen(stream, PageRows.At(stream, Table[page], group, row), stream.Width, at);
        return at;
    }
}

/// <summary>One part takes one unit through the span in hand: its state begins with its first, its results are written after its last.</summary>
unsafe struct TakeSpanJob : IJob
{
    public AttendWork Work;
    public float* States;
    public long StateFloats;
    public int Span;

    public readonly void Run(int part, int worker)
    {
        var unit = Work.Units[part];
        var (first, last) = (unit.First / AttendWork.SpanRows, unit.Last / AttendWork.SpanRows);
        if (Span < first || Span > last) return;
        var pass = new SpanPass(Work, unit, worker);
        var whole = States + part * StateFloats;
        if (Span == first) Work.Clear(whole, unit);
        pass.Run(Span, pass.Own);
        Work.Merge(whole, pass.Own, unit);
        if (Span == last) Results.Write(Work, unit, whole);
    }
}
