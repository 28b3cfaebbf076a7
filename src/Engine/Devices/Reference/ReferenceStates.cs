namespace Serving.Devices.Reference;

/// <summary>
/// Updates of states, one row after the other in the order of runs. A state is float32 between rows, so that it does not matter where a
/// chunk ends.
/// </summary>
static unsafe class ReferenceStates
{
    /// <summary>Every vector beside those of the rows before it; the state holds the rows before the next one.</summary>
    public static void Recall(Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        var before = state.Width / source.Columns;
        ForEachRow(state, batch, places, (row, kept) =>
        {
            float[] rows = [.. kept, .. source.Row(row)];
            for (var tap = 0; tap <= before; tap++)
                for (var head = 0; head < source.Heads; head++)
                    rows.AsSpan(tap * source.Columns + head * source.Width, source.Width)
                        .CopyTo(destination.Vector(row, head)[(tap * source.Width)..]);
            rows.AsSpan(source.Columns).CopyTo(kept);
        });
    }

    /// <summary>Running sums.</summary>
    public static void Accumulate(RunningSum rule, Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination) =>
        ForEachRow(state, batch, places, (row, kept) =>
        {
            for (var i = 0; i < kept.Length; i++)
            {
                var before = rule.BeginsAt(batch.Positions[row]) ? 0.0 : kept[i];
                destination.At(row, i) = kept[i] = (float)(rule.Decay * before + (double)rule.Gain * source.At(row, i));
            }
        });

    /// <summary>The delta rule, head by head.</summary>
    public static void Delta(DeltaRows rows, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        var (keyWidth, valueWidth) = (rows.Key.Width, rows.Value.Width);
        ForEachRow(state, batch, places, (row, kept) =>
        {
            for (var head = 0; head < rows.Key.Heads; head++)
                Delta(rows, row, head, kept.Slice(head * keyWidth * valueWidth, keyWidth * valueWidth), destination.Vector(row, head));
        });
    }

    static void Delta(DeltaRows rows, int row, int head, Span<float> memory, Span<float> result)
    {
        Span<float> query = rows.Query.Vector(row, head), key = rows.Key.Vector(row, head);
        Span<float> value = rows.Value.Vector(row, head), decay = rows.LogDecay.Vector(row, head);
        double strength = rows.Strength.At(row, head);
        for (var j = 0; j < value.Length; j++)
        {
            var known = 0.0;
            for (var i = 0; i < key.Length; i++) known += Math.Exp(decay[i]) * memory[i * value.Length + j] * key[i];
            var (news, read) = (strength * (value[j] - known), 0.0);
            for (var i = 0; i < key.Length; i++)
            {
                ref var at = ref memory[i * value.Length + j];
                at = (float)(Math.Exp(decay[i]) * at + key[i] * news);
                read += (double)query[i] * at;
            }
            result[j] = (float)read;
        }
    }

    delegate void Update(int row, Span<float> kept);

    static void ForEachRow(StateRows state, RowBatch batch, StateBatch places, Update update)
    {
        for (var run = 0; run < batch.Runs; run++)
        {
            var (start, end) = (batch.RunStarts[run], batch.RunStarts[run + 1]);
            if (start == end) continue;
            var kept = At(state, places.Places[run]);
            if (batch.Positions[start] == 0) kept.Clear();
            for (var row = start; row < end; row++) update(row, kept);
            if (places.Saves[run] != StateBatch.None) kept.CopyTo(At(state, places.Saves[run]));
        }
    }

    static Span<float> At(StateRows state, int place) => new((float*)(state.Address + (nint)(place * state.PlaceBytes)), state.Width);
}
