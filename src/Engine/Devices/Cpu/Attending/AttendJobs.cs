using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>One part is a unit with all its spans, merged one by one.</summary>
unsafe struct WholeUnitJob : IJob
{
    public AttendWork Work;
    public int Units;

    public readonly void Run(int part, int worker)
    {
        var unit = Work.Units[part];
        var pass = new SpanPass(Work, unit, worker) { Next = part + 1 < Units ? Work.Units[part + 1] : null };
        Work.Clear(pass.Whole, unit);
        for (var span = unit.First / AttendWork.SpanRows; span <= unit.Last / AttendWork.SpanRows; span++)
        {
            pass.Run(span, pass.Own);
            Work.Merge(pass.Whole, pass.Own, unit);
        }
        pass.Close(pass.Own, pass.Whole);
        Results.Write(Work, unit, pass.Whole);
    }
}

/// <summary>One part is one span of one unit; its state is kept for <see cref="MergeJob"/>.</summary>
unsafe struct SpanJob : IJob
{
    public AttendWork Work;
    public float* States;
    public long StateFloats;
    public int First, Spans;

    public readonly void Run(int part, int worker)
    {
        var unit = Work.Units[part / Spans];
        var span = First + part % Spans;
        if (span > unit.Last / AttendWork.SpanRows || span < unit.First / AttendWork.SpanRows) return;
        var pass = new SpanPass(Work, unit, worker);
        pass.Run(span, States + part * StateFloats);
    }
}

/// <summary>One part merges the spans of a unit in order, and writes its results after the last.</summary>
unsafe struct MergeJob : IJob
{
    public SpanJob Spans;
    public float* Wholes;

    public readonly void Run(int part, int worker)
    {
        var work = Spans.Work;
        var unit = work.Units[part];
        var whole = Wholes + part * Spans.StateFloats;
        if (Spans.First == 0) work.Clear(whole, unit);
        var last = unit.Last / AttendWork.SpanRows;
        var from = Math.Max(Spans.First, unit.First / AttendWork.SpanRows);
        var end = Math.Min(Spans.First + Spans.Spans - 1, last);
        for (var span = from; span <= end; span++)
        {
            work.Merge(whole, Spans.States + (part * Spans.Spans + span - Spans.First) * Spans.StateFloats, unit);
        }
        if (last < Spans.First || last >= Spans.First + Spans.Spans) return;
        if (work.Cached.Main.IsStrided)
        {
            var pass = new SpanPass(work, unit, worker);
            pass.Close(pass.Own, whole);
        }
        Results.Write(work, unit, whole);
    }
}

/// <summary>The end of an attention operation.</summary>
static unsafe class Results
{
    /// <summary>Divides by the sums of weights, the sinks' among them, and writes the outputs of all groups.</summary>
    public static void Write(in AttendWork work, AttendUnit unit, float* states)
    {
        for (var group = 0; group < unit.Groups; group++) Write(work, unit.Of(group), work.StateOf(states, unit, group));
    }

    static void Write(in AttendWork work, AttendUnit unit, QueryState state)
    {
        var blocks = RowBlocks.Count(unit.Queries);
        for (var block = 0; block < blocks; block++)
        {
            var start = RowBlocks.Start(unit.Queries, blocks, block);
            var rows = RowBlocks.Start(unit.Queries, blocks, block + 1) - start;
            for (var row = 0; row < rows; row++)
            {
                var query = start + row;
                var head = unit.Head + query % unit.Heads;
                var sink = work.Rule.Sinks.IsEmpty ? float.NegativeInfinity : Sink(work.Rule.Sinks, head);
                var greatest = MathF.Max(state.Greatest[query], sink);
                var factor = Lanes.Exp(Vector512.Create(state.Greatest[query] - greatest))[0];
                var sum = Lanes.Sum(Vector512.Load(state.Sums + query * Lanes.Count)) * factor;
                sum += Lanes.Exp(Vector512.Create(sink - greatest))[0];
                var values = state.Values + (long)start * work.OwnValuePadded + row * PanelSize.Outputs;
                var result = work.Destination.At(unit.Row + query / unit.Heads, head);
                Scale(values, rows * PanelSize.Outputs, factor / sum, result, work.Shape.ValueWidth);
                if (work.Shape.SharedValueWidth == 0) continue;
                values = state.SharedValues(start, rows, row, out var stride);
                Scale(values, stride, factor / sum, result + work.Shape.ValueWidth, work.Shape.SharedValueWidth);
            }
        }
    }

    static float Sink(in Tensor sinks, int head) => sinks.At(0, head / sinks.Width)[head % sinks.Width];

    static void Scale(float* values, int stride, float factor, float* destination, int width)
    {
        for (var d = 0; d < width; d += PanelSize.Outputs, values += stride)
        {
            if (width - d >= PanelSize.Outputs)
            {
                (Vector512.Load(values) * factor).Store(destination + d);
                (Vector512.Load(values + 16) * factor).Store(destination + d + 16);
            }
            else
            {
                for (var i = 0; i < width - d; i++) destination[d + i] = values[i] * factor;
            }
        }
    }
}
