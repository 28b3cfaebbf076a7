namespace Serving.Devices.Cpu;

/// <summary>
/// Attention over keys and values rebuilt from latents. Run by run and span by span: latents are gathered from their pages, one product
/// makes the keys of all heads and one the values, and every unit of queries takes the span up. Spans merge in order, and a rebuilt row
/// depends on its latent alone, so a query's bits depend neither on the chunk it came in nor on the threads.
/// </summary>
sealed unsafe class Expanding(WorkerTeam team, Products products, RowOperations elements) : IDisposable
{
    readonly Scratch _rebuilt = new(), _states = new(), _workers = new(), _places = new();
    AttendUnit[] _units = new AttendUnit[64];
    int _count;

    /// <summary>Runs the operation; see <see cref="IDevice.AttendExpanded"/>.</summary>
    public void Attend(
        ScoreRule rule, CpuMatrix keys, CpuMatrix values, CpuGate? gate, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages,
        Tensor destination)
    {
        var shape = new Expansion(keys, values).ShapeOver(cached);
        var rows = new SpanRows(keys, values, gate, cached);
        rows.Lay(_rebuilt.Take(rows.Bytes));
        var work = new AttendWork
        {
            Shape = shape, Rule = rule with { Turn = default }, Main = main, Rotary = rotary, Destination = destination, Cached = rows.Paged,
        };
        work.ScratchOfWorker = work.ScratchBytes;
        work.Scratch = _workers.Take(work.ScratchOfWorker * team.Workers);
        for (var run = 0; run < batch.Runs; run++)
        {
            if (batch.RunStarts[run] == batch.RunStarts[run + 1]) continue;
            Cut(shape, batch, run);
            fixed (AttendUnit* units = _units)
            fixed (int* table = pages.Of(run))
            {
                work.Units = units;
                for (var i = 0; i < _count; i++) units[i] = work.Seeing(units[i]);
                Run(work, rows, rule.Turn, gate, cached, table);
            }
        }
    }

    /// <summary>Gives the scratch back.</summary>
    public void Dispose()
    {
        _rebuilt.Dispose();
        _states.Dispose();
        _workers.Dispose();
        _places.Dispose();
    }

    void Run(AttendWork work, in SpanRows rows, KeyTurn turn, CpuGate? gate, in AttendRows cached, int* table)
    {
        var size = work.StateFloats(AttendWork.UnitQueries);
        var take = new TakeSpanJob { Work = work, States = (float*)_states.Take(_count * size * sizeof(float)), StateFloats = size };
        var places = (int*)_places.Take(AttendWork.SpanRows * sizeof(int));
        for (var i = 0; i < AttendWork.SpanRows; i++) places[i] = i;
        var (first, last) = (_units[0].First, _units[_count - 1].Last);
        for (var span = first / AttendWork.SpanRows; span <= last / AttendWork.SpanRows; span++)
        {
            var from = Math.Max(first, span * AttendWork.SpanRows);
            var count = Math.Min(last + 1, (span + 1) * AttendWork.SpanRows) - from;
            Rebuild(rows, cached, table, from, count);
            if (gate is not null) Gate(rows, gate, count);
            if (!turn.IsEmpty) elements.Rotate(rows.KeyVectors(count, turn.Angles.Columns), turn.Angles.Range(from, count), turn.Interleaved);
            // Position p lies at place p - from; no position before the first is read.
            for (var i = 0; i < _count; i++) work.Units[i].Pages = places - from;
            take.Span = span;
            team.Run(ref take, _count);
        }
    }

    void Rebuild(in SpanRows rows, in AttendRows cached, int* table, int from, int count)
    {
        var gather = new GatherJob
        {
            Cached = cached, Table = table, From = from, Count = count,
            Rows = rows.Gathered, Stride = rows.GatheredFloats,
        };
        team.Run(ref gather, (count + GatherJob.PartRows - 1) / GatherJob.PartRows);
        for (var group = 0; group < cached.Main.Groups; group++)
        {
            var latents = rows.Latents(group, count);
            products.Multiply(rows.Keys[group], latents, default, rows.Side(rows.Paged.Main, group, count));
            products.Multiply(rows.Values[group], latents, default, rows.Side(rows.Paged.Value, group, count));
        }
    }

    void Gate(in SpanRows rows, CpuGate gate, int count)
    {
        var ids = (Span<int>)stackalloc int[AttendWork.SpanRows];
        for (var place = 0; place < count; place++) ids[place] = rows.Id(place);
        elements.Embed(gate.Embedding, ids[..count], 1, rows.Embedded(count));
        products.Multiply(gate.Keys.SideBySide(1)[0], rows.Embedded(count), default, rows.KeyGates(count).Split(1));
        products.Multiply(gate.Values.SideBySide(1)[0], rows.Embedded(count), default, rows.ValueGates(count).Split(1));
        var job = new GateJob
        {
            Norm = gate.Norm, Keys = rows.KeyVectors(count, gate.Keys.Outputs), Values = rows.ValueVectors(count, gate.Values.Outputs),
            KeyGates = rows.KeyGates(count), ValueGates = rows.ValueGates(count),
        };
        team.Run(ref job, (count + GateJob.PartRows - 1) / GateJob.PartRows);
    }

    // A unit is some rows of one head: fewer of them where that gives every worker its share. Heads that read shared rows as well are taken
    // together where they are few rows each.
    void Cut(in AttendShape shape, RowBatch batch, int run)
    {
        var (heads, start, end) = (shape.QueryHeads, batch.RunStarts[run], batch.RunStarts[run + 1]);
        var share = (int)((long)(end - start) * heads / (4 * team.Workers));
        var rows = Math.Clamp(share / PanelSize.Rows * PanelSize.Rows, PanelSize.Rows, AttendWork.UnitQueries);
        var shares = shape.RotaryWidth > 0 || shape.SharedValueWidth > 0;
        _count = 0;
        for (var row = start; row < end; row += rows)
        {
            var here = Math.Min(rows, end - row);
            var together = shares ? Math.Clamp(AttendWork.UnitQueries / here, 1, (heads + 2 * team.Workers - 1) / (2 * team.Workers)) : 1;
            for (var head = 0; head < heads; head += together)
            {
                if (_count == _units.Length) Array.Resize(ref _units, 2 * _count);
                _units[_count++] = new AttendUnit
                {
                    Row = row, Position = batch.Positions[row], Rows = here, Group = head, Groups = Math.Min(together, heads - head), Head = head, Heads = 1,
                };
            }
        }
    }
}
