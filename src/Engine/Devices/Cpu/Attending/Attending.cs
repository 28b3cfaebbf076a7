namespace Serving.Devices.Cpu;

/// <summary>
/// Attention over cached rows. Work falls into units of queries that read the same rows; where units are few, their spans are shared
/// out too. Either way a query's spans are computed alike and merged in order, so its bits do not depend on the choice.
/// </summary>
sealed unsafe class Attending(WorkerTeam team) : IDisposable
{
    // Partial states that may wait to be merged: 16 MiB.
    const long StateFloats = 4 << 20;

    readonly Scratch _tables = new(), _workers = new(), _states = new(), _maps = new();
    AttendUnit[] _units = new AttendUnit[64];
    int _count;

    /// <summary>
    /// Runs the operation over cached values and keys that each tile of rows rebuilds of their latents; see <see cref="IDevice.AttendExpanded"/>.
    /// </summary>
    public void Attend(CpuMatrix keys, ScoreRule rule, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination)
    {
        var (inputs, outputs) = (keys.Blocks * PanelSize.Block, keys.Panels * PanelSize.Outputs);
        var rows = (float*)_maps.Take((long)keys.Stack * outputs * inputs * sizeof(float));
        keys.Format.Lay(team, keys, rows);
        Attend(new Expansion(keys, null).ShapeOver(cached), rule, new(rows, inputs, outputs), main, rotary, cached, batch, pages, destination);
    }

    /// <summary>Runs the operation over rows as they are cached; see <see cref="IDevice.Attend"/>.</summary>
    public void Attend(
        AttendShape shape, ScoreRule rule, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination) =>
        Attend(shape, rule, default, main, rotary, cached, batch, pages, destination);

    void Attend(
        AttendShape shape, ScoreRule rule, KeyMap map, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination)
    {
        Cut(shape, cached.Main.IsStrided, batch, pages);
        if (_count == 0) return;
        fixed (AttendUnit* units = _units)
        {
            var work = new AttendWork
            {
                Shape = shape, Rule = rule, Map = map, Main = main, Rotary = rotary, Destination = destination, Cached = cached, Units = units,
            };
            work.ScratchOfWorker = work.ScratchBytes;
            work.Scratch = _workers.Take(work.ScratchOfWorker * team.Workers);
            for (var i = 0; i < _count; i++) units[i] = work.Seeing(units[i]);
            var (spans, queries) = (0, 0);
            for (var i = 0; i < _count; i++)
                (spans, queries) = (Math.Max(spans, units[i].Last / AttendWork.SpanRows + 1), Math.Max(queries, units[i].AllQueries));
            var wave = (int)Math.Min(spans, StateFloats / (work.StateFloats(queries) * _count));
            if (wave < 2 || team.Workers == 1 || _count >= 4 * team.Workers)
            {
                var whole = new WholeUnitJob { Work = work, Units = _count };
                team.Run(ref whole, _count);
            }
            else
            {
                InWaves(work, spans, wave, work.StateFloats(queries));
            }
        }
    }

    /// <summary>Gives the scratch back.</summary>
    public void Dispose()
    {
        _tables.Dispose();
        _workers.Dispose();
        _states.Dispose();
        _maps.Dispose();
    }

    void InWaves(in AttendWork work, int spans, int wave, long size)
    {
        var states = (float*)_states.Take((wave + 1) * _count * size * sizeof(float));
        var part = new SpanJob { Work = work, States = states, StateFloats = size, Spans = wave };
        for (; part.First < spans; part.First += wave)
        {
            team.Run(ref part, wave * _count);
            var merge = new MergeJob { Spans = part, Wholes = states + (long)wave * _count * size };
            team.Run(ref merge, _count);
        }
    }

    void Cut(AttendShape shape, bool strided, RowBatch batch, PageBatch pages)
    {
        _count = 0;
        var entries = 0;
        for (var run = 0; run < batch.Runs; run++) entries += pages.Of(run).Length;
        var tables = (int*)_tables.Take((long)entries * sizeof(int));
        for (var run = 0; run < batch.Runs; run++)
        {
            var table = pages.Of(run);
            table.CopyTo(new Span<int>(tables, table.Length));
            Cut(shape, strided, batch, run, tables);
            tables += table.Length;
        }
    }

    void Cut(AttendShape shape, bool strided, RowBatch batch, int run, int* table)
    {
        var perGroup = shape.QueryHeads / shape.Groups;
        var parts = (perGroup + AttendWork.UnitQueries - 1) / AttendWork.UnitQueries;
        var heads = (perGroup + parts - 1) / parts;
        // Open rows of a unit are one tile.
        var rows = Math.Min(AttendWork.UnitQueries / heads, strided ? AttendWork.TileRows : AttendWork.UnitQueries);
        var shares = parts == 1 && (shape.RotaryWidth > 0 || shape.SharedValueWidth > 0);
        var end = batch.RunStarts[run + 1];
        for (var row = batch.RunStarts[run]; row < end; row += rows)
        {
            var here = Math.Min(rows, end - row);
            var together = shares ? Math.Clamp(AttendWork.UnitQueries / (here * heads), 1, shape.Groups) : 1;
            for (var group = 0; group < shape.Groups; group += together)
                for (var head = 0; head < perGroup; head += heads)
                {
                    if (_count == _units.Length) Array.Resize(ref _units, 2 * _count);
                    _units[_count++] = new AttendUnit
                    {
                        Pages = table, Row = row, Position = batch.Positions[row], Rows = here, Group = group, Groups = Math.Min(together, shape.Groups - group),
                        Head = group * perGroup + head, Heads = Math.Min(heads, perGroup - head),
                    };
                }
        }
    }
}
