using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>One worker's walk over the spans of a unit: queries times tiles of keys, weights, weights times tiles of values.</summary>
unsafe ref struct SpanPass
{
    // Blocks of queries up to which values are read where they lie.
    const int InPlaceBlocks = 2;

    readonly AttendWork _work;
    readonly AttendUnit _unit;
    readonly float* _queries, _rotary, _keys, _values, _scores, _spread, _latents, _angles, _scales, _zeros;
    readonly nint* _rows, _places;
    int _panels;
    // Blocks of a tile's own parts that may hold anything but zeros.
    (int First, int End) _blocks;
    bool _closes;

    // A tile's values, and how many panels of them are read where they lie; the others were widened.
    PagedRows _valueRows;
    int _inPlace;

    /// <summary>Lays the unit's queries out in the worker's scratch.</summary>
    public SpanPass(in AttendWork work, AttendUnit unit, int worker)
    {
        (_work, _unit) = (work, unit);
        _rows = (nint*)(work.Scratch + worker * work.ScratchOfWorker);
        _places = _rows + AttendWork.TileRows;
        Own = (float*)_rows + AttendWork.PlaceFloats;
        Whole = Own + work.StateFloats(AttendWork.UnitQueries);
        _queries = Whole + work.StateFloats(AttendWork.UnitQueries);
        _rotary = _queries + (long)AttendWork.UnitQueries * work.MainPadded;
        _keys = _queries + (long)AttendWork.UnitQueries * work.KeyPadded;
        _values = _keys + (long)AttendWork.TileRows * work.KeyPadded;
        _scores = _values + (long)AttendWork.TileRows * work.ValuePadded;
        _spread = _scores + AttendWork.TileRows * PanelSize.Rows;
        _latents = _spread + work.SpreadFloats;
        _angles = _latents + work.LatentFloats;
        _scales = _angles + work.AngleFloats;
        _zeros = _scales + work.ScaleFloats;
        new Span<float>(_zeros, work.ZeroFloats).Clear();
        Lay();
    }

    /// <summary>Room for the state of a span.</summary>
    public float* Own { get; }

    /// <summary>Room for the state of all spans.</summary>
    public float* Whole { get; }

    /// <summary>The unit that this worker reads next, if known: its first rows are asked for while the last ones of this are computed.</summary>
    public AttendUnit? Next { get; init; }

    /// <summary>Reads the rows of one span into empty states, one for each group.</summary>
    public void Run(int span, float* states)
    {
        _work.Clear(states, _unit);
        var first = _unit.First;
        var last = Math.Min(_unit.Last, (span + 1) * AttendWork.SpanRows - 1);
        var tile = Math.Max(span * AttendWork.SpanRows, first / AttendWork.TileRows * AttendWork.TileRows);
        for (; tile <= last; tile += AttendWork.TileRows)
        {
            if (tile + AttendWork.TileRows <= last) Prefetch(_unit, tile + AttendWork.TileRows);
            else if (Next is { } next) Prefetch(next, next.First);
            Take(tile, first, states);
        }
    }

    /// <summary>
    /// Where tokens share rows: takes up the row that each token left, after all closed ones, by way of states of their own. Its weight lies
    /// in the first lane, wherever the token stands in its chunk.
    /// </summary>
    public void Close(float* own, float* whole)
    {
        if (!_work.Cached.Main.IsStrided) return;
        _work.Clear(own, _unit);
        _closes = true;
        Take(0, 0, own);
        for (var group = 0; group < _unit.Groups; group++)
        {
            var state = _work.StateOf(own, _unit, group);
            for (var query = 0; query < _unit.Queries; query++)
            {
                var sums = new Span<float>(state.Sums + query * Lanes.Count, Lanes.Count);
                sums.Clear();
                sums[0] = 1;
            }
        }
        _work.Merge(whole, own, _unit);
    }

    readonly void Prefetch(in AttendUnit unit, int tile)
    {
        var (shape, cached) = (_work.Shape, _work.Cached);
        for (var group = unit.Group; group < unit.Group + unit.Groups; group++)
        {
            TileRows.Prefetch(cached.Main, unit, group / (shape.Groups / cached.Main.Groups), tile);
            if (!shape.ValueInMain) TileRows.Prefetch(cached.Value, unit, group, tile);
        }
        if (shape.RotaryWidth > 0) TileRows.Prefetch(cached.Rotary, unit, 0, tile);
        if (shape.SharedValueWidth > 0) TileRows.Prefetch(cached.SharedValue, unit, 0, tile);
    }

    // Queries of a group in its blocks, and their rotary parts in the blocks with which they meet what groups share.
    readonly void Lay()
    {
        for (var group = 0; group < _unit.Groups; group++)
        {
            var unit = _unit.Of(group);
            var blocks = RowBlocks.Count(unit.Queries);
            for (var block = 0; block < blocks; block++)
            {
                var start = RowBlocks.Start(unit.Queries, blocks, block);
                var rows = RowBlocks.Start(unit.Queries, blocks, block + 1) - start;
                var shared = _unit.SharedBlockOf(group, start, rows);
                for (var row = 0; row < rows; row++)
                {
                    var (token, head) = (unit.Row + (start + row) / unit.Heads, unit.Head + (start + row) % unit.Heads);
                    Lay(_work.Main.At(token, head), _work.Shape.MainWidth,
                        _queries + ((long)group * unit.Queries + start) * _work.MainPadded + row * PanelSize.Block, rows);
                    if (_work.Shape.RotaryWidth > 0)
                        Lay(_work.Rotary.At(token, head), _work.Shape.RotaryWidth,
                            _rotary + (long)shared.Start * _work.RotaryPadded + (shared.Row + row) * PanelSize.Block, shared.Rows);
                }
            }
        }
    }

    static void Lay(float* vector, int width, float* at, int rows)
    {
        for (var d = 0; d < width; d += PanelSize.Block, at += rows * PanelSize.Block)
        {
            var here = Math.Min(PanelSize.Block, width - d);
            new ReadOnlySpan<float>(vector + d, here).CopyTo(new Span<float>(at, here));
            new Span<float>(at + here, PanelSize.Block - here).Clear();
        }
    }

    // The rows of a tile, for all groups: groups that are packed meet its shared parts together, and their own parts one after the other.
    void Take(int tile, int first, float* states)
    {
        // The last tile is mostly short: a panel without rows is not read.
        _blocks = (0, int.MaxValue);
        _panels = Math.Min(AttendWork.TileRows, (_closes ? _unit.Rows - 1 : _unit.Last) - tile + 1) > PanelSize.Outputs ? 2 : 1;
        BringShared(tile, first);
        var blocks = RowBlocks.Count(_unit.Queries);
        for (var group = 0; group < _unit.Groups; group += _unit.Packed)
        {
            if (_unit.Packed > 1)
            {
                Read(states, tile, first, group, Math.Min(_unit.Packed, _unit.Groups - group), 0, _unit.Queries);
                continue;
            }
            Bring(tile, first, group);
            for (var block = 0; block < blocks; block++)
            {
                var start = RowBlocks.Start(_unit.Queries, blocks, block);
                Read(states, tile, first, group, 1, start, RowBlocks.Start(_unit.Queries, blocks, block + 1) - start);
            }
        }
    }

    [SkipLocalsInit]
    readonly void BringShared(int tile, int first)
    {
        var rows = stackalloc nint[AttendWork.TileRows];
        var count = _panels * PanelSize.Outputs;
        if (_work.Shape.SharedValueWidth > 0)
        {
            Find(_work.Cached.SharedValue, 0, tile, first, count, rows);
            TileRows.Values(_work.Cached.SharedValue, rows, count, 0, _work.Shape.SharedValueWidth, _values + AttendWork.TileRows * _work.OwnValuePadded, _scales);
        }
        if (!_work.Rule.Turn.IsEmpty) BringAngles(tile, first, count, rows);
        if (_work.Shape.RotaryWidth == 0) return;
        Find(_work.Cached.Rotary, 0, tile, first, count, rows);
        TileRows.Keys(
            _work.Cached.Rotary, rows, count, _work.Shape.RotaryWidth, _keys + _work.MainPadded * PanelSize.Outputs, (long)_work.KeyPadded * PanelSize.Outputs, _scales);
    }

    // Angles of a tile's positions, laid out as keys are: a tile's keys turn by them in every group.
    readonly void BringAngles(int tile, int first, int count, nint* rows)
    {
        var angles = _work.Rule.Turn.Angles;
        for (var i = 0; i < count; i++) rows[i] = tile + i < first || tile + i > _unit.Last ? (nint)_zeros : (nint)angles.At(tile + i);
        TileRows.Keys(
            new(angles.Address, 0, 1, 1, angles.Columns, CacheType.Float32), rows, count, angles.Columns, _angles, (long)_work.AnglePadded * PanelSize.Outputs, _scales);
    }

    [SkipLocalsInit]
    void Bring(int tile, int first, int group)
    {
        var rows = _rows;
        var stride = (long)_work.KeyPadded * PanelSize.Outputs;
        var count = _panels * PanelSize.Outputs;
        var main = _work.Cached.Main;
        Find(main, (_unit.Group + group) / (_work.Shape.Groups / main.Groups), tile, first, count, rows);
        if (_work.Shape.Classes > 0) main = Spread(rows, count, tile, first);
        if (_work.Map.IsEmpty) TileRows.Keys(main, rows, count, _work.Shape.MainWidth, _keys, stride, _scales);
        else Rebuild(main, rows, count, _unit.Group + group, stride);
        if (!_work.Rule.Turn.IsEmpty)
            for (var panel = 0; panel < _panels; panel++)
                Rotation.Turn(_keys + panel * stride, _angles + panel * _work.AnglePadded * PanelSize.Outputs, _work.Rule.Turn);
        var values = _work.Shape.ValueInMain ? main : _work.Cached.Value;
        if (!_work.Shape.ValueInMain) Find(values, _unit.Group + group, tile, first, count, rows);
        // Few queries read whole panels of values where they lie; for many it pays to widen them once.
        (_valueRows, var width) = (values, _work.Shape.ValueWidth);
        _inPlace = !values.Format.HasScales && RowBlocks.Count(_unit.Queries) <= InPlaceBlocks ? width / PanelSize.Outputs : 0;
        if (_inPlace * PanelSize.Outputs < width) TileRows.Values(values, rows, count, _inPlace * PanelSize.Outputs, width, _values, _scales);
    }

    readonly void Find(in PagedRows stream, int group, int tile, int first, int count, nint* rows)
    {
        if (_closes) TileRows.FindOpen(stream, _unit, group, count, (nint)_zeros, rows);
        else TileRows.Find(stream, _unit, group, tile, first, count, (nint)_zeros, rows);
    }

    // Rows of classes: widened into the part of their class, a one behind them, zeros around. Mostly a tile is of one class.
    PagedRows Spread(nint* rows, int count, int tile, int first)
    {
        var (main, ids, width) = (_work.Cached.Main, _work.Cached.Ids, _work.Shape.MainWidth);
        var classes = stackalloc nint[AttendWork.TileRows];
        Find(ids, 0, tile, first, count, classes);
        new Span<float>(_spread, count * width).Clear();
        var (least, most) = (_work.Shape.Classes, 0);
        for (var i = 0; i < count; i++)
        {
            var row = _spread + (long)i * width;
            var read = rows[i];
            rows[i] = (nint)row;
            if (read == (nint)_zeros) continue;
            var part = Math.Clamp((int)RowReading.Value(ids, (byte*)classes[i], 0), 0, _work.Shape.Classes - 1);
            (least, most) = (Math.Min(least, part), Math.Max(most, part));
            row += part * (main.Width + 1);
            RowReading.Widen(main, (byte*)read, main.Width, row);
            row[main.Width] = 1;
        }
        _blocks = (least * (main.Width + 1) / PanelSize.Block, PanelSize.Blocks((most + 1) * (main.Width + 1)));
        return new((nint)_spread, 0, 1, 1, width, CacheType.Float32);
    }

    // Keys of one head from its latents: rows of its map meet the tile as queries do, and leave a panel of keys.
    readonly void Rebuild(in PagedRows main, nint* rows, int count, int head, long stride)
    {
        var (map, blocks) = (_work.Map, PanelSize.Blocks(main.Width));
        TileRows.Keys(main, rows, count, main.Width, _latents, (long)blocks * PanelSize.Block * PanelSize.Outputs, _scales);
        for (var panel = 0; panel < _panels; panel++)
        {
            var keys = _keys + panel * stride;
            new Span<float>(keys, _work.MainPadded * PanelSize.Outputs).Clear();
            for (var first = 0; first < _work.Shape.MainWidth; first += PanelSize.Outputs)
            {
                var outputs = Math.Min(PanelSize.Outputs, _work.Shape.MainWidth - first);
                var parts = RowBlocks.Count(outputs);
                for (var part = 0; part < parts; part++)
                {
                    var start = RowBlocks.Start(outputs, parts, part);
                    PanelKernel.Run<WidePanel<F32Panel>>(
                        RowBlocks.Start(outputs, parts, part + 1) - start, map.At(head, first + start), null, (byte*)_latents, panel * blocks, blocks,
                        keys + (first + start) * PanelSize.Outputs);
                }
            }
        }
    }

    // Some queries of a group, or all of several groups. Shared parts come first in scores, and an element's sums run block by block, so that
    // its bits do not depend on what else is packed.
    void Read(float* states, int tile, int first, int group, int groups, int start, int rows)
    {
        var (all, blocks, main) = (groups * rows, _work.KeyPadded / PanelSize.Block, _work.MainPadded / PanelSize.Block);
        var query = group * _unit.Queries + start;
        new Span<float>(_scores, 2 * all * PanelSize.Outputs).Clear();
        if (blocks > main)
            for (var panel = 0; panel < _panels; panel++)
                PanelKernel.Run<WidePanel<F32Panel>>(
                    all, _rotary + (long)query * _work.RotaryPadded, null, (byte*)_keys, panel * blocks + main, blocks - main, _scores + panel * all * PanelSize.Outputs);
        var any = false;
        for (var packed = 0; packed < groups; packed++)
        {
            if (_unit.Packed > 1) Bring(tile, first, group + packed);
            var state = _work.StateOf(states, _unit, group + packed);
            var x = _queries + ((long)query + packed * _unit.Queries) * _work.MainPadded;
            var scores = _scores + packed * rows * PanelSize.Outputs;
            var (from, end) = (_blocks.First, Math.Min(main, _blocks.End));
            for (var panel = 0; panel < _panels; panel++)
                PanelKernel.Run<WidePanel<F32Panel>>(
                    rows, x + (long)from * rows * PanelSize.Block, null, (byte*)_keys, panel * blocks + from, end - from, scores + panel * all * PanelSize.Outputs);
            var seen = false;
            for (var row = 0; row < rows; row++) seen |= Weigh(state, tile, start, rows, row, scores + row * PanelSize.Outputs, all);
            any |= seen;
            if (seen) AddValues(state.Values + (long)start * _work.OwnValuePadded, rows, scores, all);
        }
        if (!any) return;
        var values = _work.SharedOf(states, _unit) + (long)query * _work.SharedValuePadded;
        for (var panel = _work.OwnValuePadded / PanelSize.Outputs; panel < _work.ValuePadded / PanelSize.Outputs; panel++, values += all * PanelSize.Outputs)
            PanelKernel.Run<WidePanel<F32Panel>>(all, _scores, null, (byte*)_values, 2 * panel, _panels, values);
    }

    // Weights of some of the rows whose weights lie together, times a tile's own values.
    readonly void AddValues(float* values, int rows, float* weights, int all)
    {
        var end = Math.Min(_work.OwnValuePadded / PanelSize.Outputs, _blocks.End);
        values += (long)_blocks.First * rows * PanelSize.Outputs;
        for (var panel = _blocks.First; panel < end; panel++, values += rows * PanelSize.Outputs)
        {
            if (panel >= _inPlace)
            {
                AddValues<WidePanel<F32Panel>>((byte*)_values, 2 * panel, values, rows, weights, all);
                continue;
            }
            var offset = panel * PanelSize.Outputs * _valueRows.Format.Bits / 8;
            for (var i = 0; i < _panels * PanelSize.Outputs; i++) _places[i] = _rows[i] + offset;
            if (_valueRows.Format.Type == CacheType.BFloat16) AddValues<RowPanel<BFloat16Rows>>((byte*)_places, 0, values, rows, weights, all);
            else AddValues<RowPanel<FloatRows>>((byte*)_places, 0, values, rows, weights, all);
        }
    }

    readonly void AddValues<TPanel>(byte* panel, int first, float* values, int rows, float* weights, int all) where TPanel : struct, IPanel
    {
        if (rows == all) PanelKernel.Run<TPanel>(rows, weights, null, panel, first, _panels, values);
        else
            for (var part = 0; part < _panels; part++)
                PanelKernel.Run<TPanel>(rows, weights + part * all * PanelSize.Outputs, null, panel, first + part, 1, values);
    }

    // Scores become weights in place; false when the query sees no row of the tile.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    readonly bool Weigh(in QueryState state, int tile, int start, int rows, int row, float* s0, int all)
    {
        var s1 = s0 + all * PanelSize.Outputs;
        var token = (start + row) / _unit.Heads;
        var (first, position) = _closes ? (token, token)
            : (_work.Cached.Main.FirstRow(_work.Rule, _unit.Position + token), _work.Cached.Main.LastRow(_unit.Position + token));
        var (a, b) = (Score(s0), Score(s0 + 16));
        var (c, d) = (Score(s1), Score(s1 + 16));
        if (first > tile || position < tile + AttendWork.TileRows - 1)
        {
            (a, b) = (Mask(a, tile, first, position), Mask(b, tile + 16, first, position));
            (c, d) = (Mask(c, tile + 32, first, position), Mask(d, tile + 48, first, position));
        }
        var query = start + row;
        var greatest = Lanes.Max(Vector512.MaxNative(Vector512.MaxNative(a, b), Vector512.MaxNative(c, d)));
        if (greatest > state.Greatest[query])
        {
            state.Decay(start, rows, row, Lanes.Exp(Vector512.Create(state.Greatest[query] - greatest)));
            state.Greatest[query] = greatest;
        }
        var shift = Vector512.Create(state.Greatest[query]);
        (a, b, c, d) = (Lanes.Exp(a - shift), Lanes.Exp(b - shift), Lanes.Exp(c - shift), Lanes.Exp(d - shift));
        a.Store(s0);
        b.Store(s0 + 16);
        c.Store(s1);
        d.Store(s1 + 16);
        var sums = state.Sums + query * Lanes.Count;
        (Vector512.Load(sums) + (a + b + (c + d))).Store(sums);
        return first < tile + AttendWork.TileRows && position >= tile;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    readonly Vector512<float> Score(float* at)
    {
        var score = Vector512.Load(at) * _work.Rule.Scale;
        return _work.Rule.Softcap > 0 ? Lanes.Tanh(score / Vector512.Create(_work.Rule.Softcap)) * _work.Rule.Softcap : score;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Mask(Vector512<float> score, int tile, int first, int last)
    {
        var position = Vector512.Create(tile) + Vector512<int>.Indices;
        var seen = Vector512.GreaterThanOrEqual(position, Vector512.Create(first))
            & Vector512.LessThanOrEqual(position, Vector512.Create(last));
        return Vector512.ConditionalSelect(seen.AsSingle(), score, Vector512.Create(float.NegativeInfinity));
    }
}
