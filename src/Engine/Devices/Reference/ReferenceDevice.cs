using System.Diagnostics;
namespace Serving.Devices.Reference;

/// <summary>
/// Every operation as the plainest loop over host memory: sums in double precision, results rounded to single once. Slow, and the oracle
/// of every fast device.
/// </summary>
public sealed class ReferenceDevice : IDevice
{
    readonly HostMemory _memory = new();

    /// <summary>What the device is, for people.</summary>
    public string Description => "reference (one thread, double precision)";

    /// <summary>Bytes that can still be taken.</summary>
    public long FreeBytes => _memory.FreeBytes;

    /// <summary>Measures one plain loop of each kind, on one thread.</summary>
    public DeviceCeiling Measure()
    {
        var values = new double[1 << 22];
        var start = Stopwatch.GetTimestamp();
        var sum = values.Sum();
        var read = Stopwatch.GetElapsedTime(start).TotalSeconds;
        start = Stopwatch.GetTimestamp();
        for (var i = 0; i < values.Length; i++) sum = sum * 0.999 + 1;
        var multiply = Stopwatch.GetElapsedTime(start).TotalSeconds;
        values[0] = sum;
        return new(values.Length * sizeof(double) / read, 2 * values.Length / multiply);
    }

    /// <summary>True: matrices are widened row by row when they are read.</summary>
    public bool KeepsSource => true;

    /// <summary>Takes zeroed memory, aligned to 64 bytes.</summary>
    public nint Allocate(long bytes) => _memory.Allocate(bytes);

    /// <summary>Gives memory back; throws if it was not taken here.</summary>
    public void Free(nint address) => _memory.Free(address);

    /// <summary>Gives all memory back.</summary>
    public void Dispose() => _memory.Dispose();

    /// <summary>Keeps the stored matrix as it is.</summary>
    public Matrix Load(StoredTensor source)
    {
        ShapeChecks.Load(source);
        return new ReferenceMatrix(source);
    }

    /// <summary>Copies host values to the device.</summary>
    public void Write(ReadOnlySpan<float> source, Tensor destination)
    {
        ShapeChecks.Copy(destination, source.Length);
        for (var row = 0; row < destination.Rows; row++)
            destination.SetRow(row, source.Slice(row * destination.Columns, destination.Columns));
    }

    /// <summary>Copies device values to the host, row by row.</summary>
    public void Read(Tensor source, Span<float> destination)
    {
        ShapeChecks.Copy(source, destination.Length);
        for (var row = 0; row < source.Rows; row++)
            source.Row(row).CopyTo(destination[(row * source.Columns)..]);
    }

    /// <summary>destination[i] = table[ids[i]] * scale.</summary>
    public void Embed(Matrix table, ReadOnlySpan<int> ids, float scale, Tensor destination)
    {
        ShapeChecks.Embed(table, ids, destination);
        var values = new float[table.Inputs];
        for (var row = 0; row < ids.Length; row++)
        {
            ((ReferenceMatrix)table).Row(0, ids[row], values);
            for (var i = 0; i < values.Length; i++) values[i] *= scale;
            destination.SetRow(row, values);
        }
    }

    /// <summary>destination = source W^T + bias; product and bias are one sum.</summary>
    public void Multiply(Matrix weights, Tensor source, Tensor bias, Tensor destination)
    {
        ShapeChecks.Multiply(weights, source, bias, destination);
        var values = new float[weights.Inputs];
        var rows = Enumerable.Range(0, source.Rows).Select(row => source.Row(row)).ToArray();
        for (var output = 0; output < weights.Outputs; output++)
        {
            ((ReferenceMatrix)weights).Row(0, output, values);
            for (var row = 0; row < source.Rows; row++)
                destination.At(row, output) = (float)(ReferenceMatrix.Dot(values, rows[row]) + (bias.IsEmpty ? 0 : bias.At(0, output)));
        }
    }

    /// <summary>Matrix h of the stack on vector h of every row.</summary>
    public void MultiplyHeads(Matrix weights, Tensor source, Tensor destination)
    {
        ShapeChecks.MultiplyHeads(weights, source, destination);
        for (var row = 0; row < source.Rows; row++)
            for (var head = 0; head < source.Heads; head++)
                ((ReferenceMatrix)weights).Multiply(head, source.Vector(row, head), [], destination.Vector(row, head));
    }

    /// <summary>Each row's chosen experts on it, or on their own rows of the source.</summary>
    public void MultiplyExperts(Matrix experts, Tensor source, Tensor biases, RoutedExperts routed, Tensor destination)
    {
        ShapeChecks.MultiplyExperts(experts, source, biases, routed, destination);
        var ids = routed.Ids();
        var shared = destination.Rows / Math.Max(1, source.Rows);
        var results = new float[experts.Outputs];
        for (var row = 0; row < destination.Rows; row++)
        {
            if (ids[row] >= experts.Stack) Array.Clear(results);
            else ((ReferenceMatrix)experts).Multiply(ids[row], source.Row(row / shared), biases.IsEmpty ? [] : biases.Row(ids[row]), results);
            destination.SetRow(row, results);
        }
    }

    /// <summary>Chooses experts from router logits.</summary>
    public void Route(RoutingRule rule, Tensor logits, Tensor bias, RoutedExperts routed)
    {
        ShapeChecks.Route(rule, logits, bias, routed);
        for (var row = 0; row < logits.Rows; row++)
            ReferenceRouting.Route(rule, logits.Row(row), bias.IsEmpty ? [] : bias.Row(0),
                routed.Ids().Slice(row * rule.Chosen, rule.Chosen), routed.Weights.Vector(row, 0));
    }

    /// <summary>Adds each row's expert outputs, weighted.</summary>
    public void CombineExperts(Tensor source, Tensor input, int experts, RoutedExperts routed, Tensor destination)
    {
        ShapeChecks.CombineExperts(source, input, routed, destination);
        var chosen = routed.Weights.Width;
        var ids = routed.Ids();
        for (var row = 0; row < destination.Rows; row++)
            for (var column = 0; column < destination.Columns; column++)
            {
                double sum = destination.At(row, column);
                for (var j = 0; j < chosen; j++)
                    sum += (double)routed.Weights.At(row, j)
                        * (ids[row * chosen + j] < experts ? source.At(row * chosen + j, column) : input.At(row, column));
                destination.At(row, column) = (float)sum;
            }
    }

    /// <summary>Normalises every vector.</summary>
    public void Normalize(Norm norm, Tensor source, Tensor destination)
    {
        ShapeChecks.Normalize(norm, source, destination);
        for (var row = 0; row < source.Rows; row++)
            for (var head = 0; head < source.Heads; head++)
                ReferenceElements.Normalize(norm, source.Vector(row, head), Own(norm.Weight, head), Own(norm.Bias, head), destination.Vector(row, head));

        ReadOnlySpan<float> Own(Tensor factors, int head) => factors.IsEmpty ? []
            : factors.Columns == source.Width ? factors.Row(0)
            : factors.Row(0).AsSpan(head * source.Width, source.Width);
    }

    /// <summary>Turns pairs of every vector by the angles of its row.</summary>
    public void Rotate(Tensor vectors, Tensor angles, bool interleaved)
    {
        ShapeChecks.Rotate(vectors, angles);
        for (var row = 0; row < vectors.Rows; row++)
            for (var head = 0; head < vectors.Heads; head++)
                ReferenceElements.Rotate(vectors.Vector(row, head), angles.Row(row), interleaved);
    }

    /// <summary>destination = gate and up by the rule, or its activation of gate alone.</summary>
    public void Activate(GateRule rule, Tensor gate, Tensor up, Tensor destination)
    {
        ShapeChecks.Activate(rule, gate, up, destination);
        for (var row = 0; row < gate.Rows; row++)
            for (var column = 0; column < gate.Columns; column++)
                destination.At(row, column) = (float)(ReferenceElements.Activate(rule, gate.At(row, column)) * (up.IsEmpty ? 1.0 : ReferenceElements.Gated(rule, up.At(row, column))));
    }

    /// <summary>destination += source * scale.</summary>
    public void Add(Tensor source, float scale, Tensor destination)
    {
        ShapeChecks.Same("add", source, destination);
        for (var row = 0; row < source.Rows; row++)
            for (var column = 0; column < source.Columns; column++)
                destination.At(row, column) = (float)(destination.At(row, column) + (double)source.At(row, column) * scale);
    }

    /// <summary>destination *= factor, or each row or vector its own factor.</summary>
    public void Scale(Tensor destination, float factor, Tensor factors)
    {
        ShapeChecks.Scale(destination, factors);
        for (var row = 0; row < destination.Rows; row++)
            for (var column = 0; column < destination.Columns; column++)
                destination.At(row, column) *= factors.IsEmpty ? factor : factors.At(row, factors.Columns == 1 ? 0 : column / destination.Width);
    }

    /// <summary>destination[i] = source[rows[i]].</summary>
    public void Gather(Tensor source, ReadOnlySpan<int> rows, Tensor destination)
    {
        ShapeChecks.Gather(source, rows, destination);
        for (var row = 0; row < rows.Length; row++)
            destination.SetRow(row, source.Row(rows[row]));
    }

    /// <summary>Stores each row's vectors in its page, row-major as [row][group][width].</summary>
    public void WriteRows(Tensor source, PagedRows stream, RowBatch batch, PageBatch pages)
    {
        ShapeChecks.WriteRows(source, stream, batch, pages);
        for (var run = 0; run < batch.Runs; run++)
            for (var row = batch.RunStarts[run]; row < batch.RunStarts[run + 1]; row++)
                for (var group = 0; group < stream.Groups; group++)
                {
                    var position = batch.Positions[row];
                    if (stream.IsStrided) stream.Store(source.Vector(row, group), stream.OpenVector(row, group));
                    if (stream.Closes(position))
                        stream.Store(source.Vector(row, group), ReferenceAttention.Vector(stream, pages.Of(run), position / stream.Stride, group));
                }
    }

    /// <summary>Attention of every row and head over the cached rows of its run.</summary>
    public void Attend(AttendShape shape, ScoreRule rule, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination)
    {
        ShapeChecks.Attend(shape, cached, batch, pages);
        ShapeChecks.Attend(shape, rule, batch, main, rotary, destination);
        for (var run = 0; run < batch.Runs; run++)
            for (var row = batch.RunStarts[run]; row < batch.RunStarts[run + 1]; row++)
                for (var head = 0; head < shape.QueryHeads; head++)
                    ReferenceAttention.Attend(
                        shape, rule, head, (row, batch.Positions[row]), main.Vector(row, head), shape.RotaryWidth > 0 ? rotary.Vector(row, head) : [],
                        cached, pages.Of(run), destination.Vector(row, head));
    }

    /// <summary>Attention of every row and head over keys and values that are rebuilt for its run, one position after the other.</summary>
    public void AttendExpanded(
        ScoreRule rule, Expansion expansion, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination)
    {
        var shape = expansion.ShapeOver(cached);
        ShapeChecks.AttendExpanded(expansion, cached, batch, pages);
        ShapeChecks.Attend(shape, rule, batch, main, rotary, destination);
        for (var run = 0; run < batch.Runs; run++)
        {
            var (start, end) = (batch.RunStarts[run], batch.RunStarts[run + 1]);
            if (start == end) continue;
            using var rebuilt = new RebuiltRows(
                expansion, rule.Turn, cached, pages.Of(run), rule.FirstVisible(batch.Positions[start]), batch.Positions[end - 1]);
            for (var row = start; row < end; row++)
                for (var head = 0; head < shape.QueryHeads; head++)
                    ReferenceAttention.Attend(
                        shape, rule with { Turn = default }, head, (row, batch.Positions[row]), main.Vector(row, head),
                        shape.RotaryWidth > 0 ? rotary.Vector(row, head) : [], rebuilt.Rows, rebuilt.Table, destination.Vector(row, head));
        }
    }

    /// <summary>Copies whole pages of a stream, in order.</summary>
    public void CopyPages(PagedRows stream, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        ShapeChecks.CopyPages(from, to);
        for (var i = 0; i < from.Length; i++)
            stream.Page(from[i]).CopyTo(stream.Page(to[i]));
    }

    /// <inheritdoc/>
    public nint AllocateHost(long bytes) => Allocate(bytes);

    /// <inheritdoc/>
    public void FreeHost(nint address) => Free(address);

    /// <inheritdoc/>
    public void SwapPages(Swap way, PagedRows stream, PagedRows host, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        ShapeChecks.SwapPages(stream, host, from, to);
        var (source, destination) = way == Swap.Out ? (stream, host) : (host, stream);
        for (var i = 0; i < from.Length; i++) source.Page(from[i]).CopyTo(destination.Page(to[i]));
    }

    /// <summary>Every vector beside those before it.</summary>
    public void Recall(Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        ShapeChecks.Recall(source, state, batch, places, destination);
        ReferenceStates.Recall(source, state, batch, places, destination);
    }

    /// <summary>A convolution over windows, value by value.</summary>
    public void Convolve(Tensor windows, Tensor weights, Tensor bias, Tensor destination)
    {
        ShapeChecks.Convolve(windows, weights, bias, destination);
        var taps = windows.Width / destination.Width;
        for (var row = 0; row < windows.Rows; row++)
            for (var column = 0; column < destination.Columns; column++)
            {
                var (head, at) = Math.DivRem(column, destination.Width);
                double sum = bias.IsEmpty ? 0 : bias.At(0, column);
                for (var tap = 0; tap < taps; tap++)
                {
                    var i = tap * destination.Width + at;
                    sum += (double)weights.At(0, head * windows.Width + i) * windows.Vector(row, head)[i];
                }
                destination.At(row, column) = (float)sum;
            }
    }

    /// <summary>Running sums.</summary>
    public void Accumulate(RunningSum rule, Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        ShapeChecks.Accumulate(source, state, batch, places, destination);
        ReferenceStates.Accumulate(rule, source, state, batch, places, destination);
    }

    /// <summary>The delta rule.</summary>
    public void Delta(DeltaRows rows, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        ShapeChecks.Delta(rows, state, batch, places, destination);
        ReferenceStates.Delta(rows, state, batch, places, destination);
    }

    /// <summary>Sums of products of vectors.</summary>
    public void Dot(Tensor left, Tensor right, Tensor destination)
    {
        ShapeChecks.Dot(left, right, destination);
        for (var row = 0; row < left.Rows; row++)
            for (var head = 0; head < left.Heads; head++)
                destination.At(row, head) = (float)ReferenceMatrix.Dot(left.Vector(row, head), right.Vector(row, head));
    }

    /// <summary>Softmax of every vector.</summary>
    public void Softmax(Tensor vectors)
    {
        for (var row = 0; row < vectors.Rows; row++)
            for (var head = 0; head < vectors.Heads; head++)
                ReferenceElements.Softmax(vectors.Vector(row, head));
    }
}
