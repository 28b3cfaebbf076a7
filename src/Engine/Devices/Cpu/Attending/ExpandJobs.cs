namespace Serving.Devices.Cpu;

/// <summary>Widens the latents and rotary rows of some neighbouring positions into the scratch of a span.</summary>
unsafe struct GatherJob : IJob
{
    /// <summary>Positions of a part.</summary>
    public const int PartRows = 32;

    public PagedRows Latents, Rotary;
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
            var (page, row) = Math.DivRem(From + place, Latents.RowsPerPage);
            var at = Rows + (long)place * Stride;
            for (var group = 0; group < Latents.Groups; group++, at += Latents.Width)
                RowReading.Widen(Latents, PageRows.At(Latents, Table[page], group, row), Latents.Width, at);
            if (!Rotary.IsEmpty) RowReading.Widen(Rotary, PageRows.At(Rotary, Table[page], 0, row), Rotary.Width, at);
        }
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
        var (first, last) = (Work.Rule.FirstVisible(unit.Position) / AttendWork.SpanRows, unit.Last / AttendWork.SpanRows);
        if (Span < first || Span > last) return;
        var pass = new SpanPass(Work, unit, worker);
        var whole = new QueryState(States + part * StateFloats, unit.Queries, Work.ValuePadded);
        var own = new QueryState(pass.Own, unit.Queries, Work.ValuePadded);
        if (Span == first) whole.Clear();
        pass.Run(Span, own);
        whole.Merge(own);
        if (Span == last) Results.Write(Work, unit, whole);
    }
}
