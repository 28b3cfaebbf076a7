namespace Serving.Devices;

/// <summary>What must hold of the arguments of an <see cref="IDevice"/> operation. Every method throws <see cref="ArgumentException"/> with the numbers.</summary>
public static class ShapeChecks
{
    /// <summary>A host span that holds a tensor.</summary>
    public static void Copy(Tensor tensor, int values)
    {
        if (values != (long)tensor.Rows * tensor.Columns) throw Mismatch("copy", $"{Of(tensor)} and {values} host values");
    }

    /// <summary>A matrix that can be loaded: two sizes, or three for a stack.</summary>
    public static void Load(StoredTensor source)
    {
        if (source.Shape.Length is not (2 or 3))
            throw Mismatch("load", $"{source.Name} {source.Describe()} is neither [outputs, inputs] nor [stack, outputs, inputs]");
    }

    /// <summary>The arguments of <see cref="IDevice.Embed"/>.</summary>
    public static void Embed(Matrix table, ReadOnlySpan<int> ids, Tensor destination)
    {
        if (table.Stack != 1 || destination.Rows != ids.Length || destination.Columns != table.Inputs)
            throw Mismatch("embed", $"table {Of(table)}, {ids.Length} ids, destination {Of(destination)}");
        Indices("embed", ids, table.Outputs);
    }

    /// <summary>The arguments of <see cref="IDevice.Multiply"/>.</summary>
    public static void Multiply(Matrix weights, Tensor source, Tensor bias, Tensor destination)
    {
        if (weights.Stack != 1 || source.Columns != weights.Inputs || destination.Columns != weights.Outputs || source.Rows != destination.Rows
            || (!bias.IsEmpty && bias.Columns != weights.Outputs))
            throw Mismatch("multiply", $"weights {Of(weights)}, source {Of(source)}, bias {Of(bias)}, destination {Of(destination)}");
    }

    /// <summary>The arguments of <see cref="IDevice.MultiplyHeads"/>.</summary>
    public static void MultiplyHeads(Matrix weights, Tensor source, Tensor destination)
    {
        if (weights.Stack != source.Heads || weights.Stack != destination.Heads || source.Rows != destination.Rows
            || source.Width != weights.Inputs || destination.Width != weights.Outputs)
            throw Mismatch("multiply heads", $"weights {Of(weights)}, source {Of(source)}, destination {Of(destination)}");
    }

    /// <summary>The arguments of <see cref="IDevice.MultiplyExperts"/>.</summary>
    public static void MultiplyExperts(Matrix experts, Tensor source, Tensor biases, RoutedExperts routed, Tensor destination)
    {
        var (rows, chosen) = (routed.Weights.Rows, routed.Weights.Width);
        if (source.Columns != experts.Inputs || destination.Columns != experts.Outputs || destination.Rows != rows * chosen
            || (source.Rows != rows && source.Rows != rows * chosen)
            || (!biases.IsEmpty && (biases.Rows != experts.Stack || biases.Columns != experts.Outputs)))
            throw Mismatch("multiply experts",
                $"experts {Of(experts)}, {chosen} chosen, source {Of(source)}, biases {Of(biases)}, destination {Of(destination)}");
    }

    /// <summary>The arguments of <see cref="IDevice.Route"/>.</summary>
    public static void Route(RoutingRule rule, Tensor logits, Tensor bias, RoutedExperts routed)
    {
        if (!rule.CanBeMet)
            throw Mismatch("route", $"{rule.Chosen} of {rule.Experts} experts in {rule.KeptGroups} of {rule.Groups} groups");
        if (logits.Columns != rule.Experts || routed.Weights.Rows != logits.Rows || routed.Weights.Columns != rule.Chosen
            || (!bias.IsEmpty && bias.Columns != rule.Experts))
            throw Mismatch("route", $"{rule.Chosen} of {rule.Experts} experts, logits {Of(logits)}, bias {Of(bias)}, weights {Of(routed.Weights)}");
    }

    /// <summary>The arguments of <see cref="IDevice.CombineExperts"/>.</summary>
    public static void CombineExperts(Tensor source, Tensor input, RoutedExperts routed, Tensor destination)
    {
        if (source.Columns != destination.Columns || routed.Weights.Rows != destination.Rows || source.Rows != destination.Rows * routed.Weights.Width
            || input.Rows != destination.Rows || input.Columns != destination.Columns)
            throw Mismatch("combine experts", $"source {Of(source)}, input {Of(input)}, weights {Of(routed.Weights)}, destination {Of(destination)}");
    }

    /// <summary>The arguments of <see cref="IDevice.Normalize"/>.</summary>
    public static void Normalize(Norm norm, Tensor source, Tensor destination)
    {
        Same("normalize", source, destination);
        if (!Fits(norm.Weight, source) || !Fits(norm.Bias, source))
            throw Mismatch("normalize", $"weight {Of(norm.Weight)}, bias {Of(norm.Bias)}, source {Of(source)}");

        static bool Fits(Tensor factors, Tensor source) =>
            factors.IsEmpty || factors.Columns == source.Width || factors.Columns == source.Columns;
    }

    /// <summary>The arguments of <see cref="IDevice.Rotate"/>.</summary>
    public static void Rotate(Tensor vectors, Tensor angles)
    {
        if (vectors.Width % 2 != 0 || angles.Columns != vectors.Width || angles.Rows != vectors.Rows)
            throw Mismatch("rotate", $"vectors {Of(vectors)}, angles {Of(angles)}");
    }

    /// <summary>The arguments of <see cref="IDevice.Activate"/>.</summary>
    public static void Activate(GateRule rule, Tensor gate, Tensor up, Tensor destination)
    {
        Same("activate", gate, destination);
        if (!up.IsEmpty) Same("activate", gate, up);
        if (rule.Sharpness != 1 && rule.Function != Activation.Silu)
            throw Mismatch("activate", $"{rule.Function} has no sharpness, but {rule.Sharpness} was given");
    }

    /// <summary>Two tensors of equal sizes.</summary>
    public static void Same(string operation, Tensor source, Tensor destination)
    {
        if (source.Rows != destination.Rows || source.Heads != destination.Heads || source.Width != destination.Width)
            throw Mismatch(operation, $"{Of(source)} and {Of(destination)} are not of one shape");
    }

    /// <summary>The arguments of <see cref="IDevice.Scale"/>.</summary>
    public static void Scale(Tensor destination, Tensor factors)
    {
        if (!factors.IsEmpty && ((factors.Columns != 1 && factors.Columns != destination.Heads) || factors.Rows != destination.Rows))
            throw Mismatch("scale", $"destination {Of(destination)}, factors {Of(factors)}");
    }

    /// <summary>The arguments of <see cref="IDevice.Gather"/>.</summary>
    public static void Gather(Tensor source, ReadOnlySpan<int> rows, Tensor destination)
    {
        if (destination.Rows != rows.Length || source.Columns != destination.Columns)
            throw Mismatch("gather", $"source {Of(source)}, {rows.Length} rows, destination {Of(destination)}");
        Indices("gather", rows, source.Rows);
    }

    /// <summary>The arguments of <see cref="IDevice.WriteRows"/>.</summary>
    public static void WriteRows(Tensor source, PagedRows stream, RowBatch batch, PageBatch pages)
    {
        if (source.Rows != batch.Rows || source.Heads != stream.Groups || source.Width != stream.Width)
            throw Mismatch("write rows", $"source {Of(source)}, {batch.Rows} rows of {Of(stream)}");
        Open(stream);
        Tables(stream.PageTokens, batch, pages);
    }

    /// <summary>The arguments of <see cref="IDevice.Attend"/> but its tensors: shape, streams and page tables.</summary>
    public static void Attend(AttendShape shape, AttendRows cached, RowBatch batch, PageBatch pages)
    {
        var main = cached.Main;
        if (shape.Classes > 0) Classes(shape, cached);
        if (shape.Groups < 1 || shape.QueryHeads % shape.Groups != 0 || main.Groups != shape.Groups
            || (shape.Classes > 0 ? shape.MainWidth : main.Width) < (shape.ValueInMain ? Math.Max(shape.MainWidth, shape.ValueWidth) : shape.MainWidth))
            throw Mismatch("attend", $"{shape} over main rows {Of(main)}");
        if (shape.RotaryWidth > 0 && (cached.Rotary.Groups != 1 || cached.Rotary.Width != shape.RotaryWidth || cached.Rotary.RowsPerPage != main.RowsPerPage))
            throw Mismatch("attend", $"{shape} over main rows {Of(main)} and rotary rows {Of(cached.Rotary)}");
        if (!shape.ValueInMain && (cached.Value.Groups != shape.Groups || cached.Value.Width < shape.ValueWidth || cached.Value.RowsPerPage != main.RowsPerPage))
            throw Mismatch("attend", $"{shape} over main rows {Of(main)} and value rows {Of(cached.Value)}");
        if (shape.SharedValueWidth > 0 && (shape.ValueInMain || cached.SharedValue.Groups != 1 || cached.SharedValue.Width != shape.SharedValueWidth
            || cached.SharedValue.RowsPerPage != main.RowsPerPage))
            throw Mismatch("attend", $"{shape} over shared value rows {Of(cached.SharedValue)}");
        foreach (var stream in (ReadOnlySpan<PagedRows>)[main, cached.Rotary, cached.Value, cached.SharedValue])
        {
            if (stream.IsEmpty) continue;
            Open(stream);
            if (stream.Stride != main.Stride) throw Mismatch("attend", $"rows of {main.Stride} tokens beside rows of {stream.Stride}");
        }
        Tables(main.PageTokens, batch, pages);
    }

    static void Classes(AttendShape shape, AttendRows cached)
    {
        var (main, classes) = (cached.Main, cached.Ids);
        if (!shape.ValueInMain || shape.MainWidth != shape.Classes * (main.Width + 1) || classes.Groups != 1 || classes.Width != 1
            || classes.RowsPerPage != main.RowsPerPage || main.IsStrided || classes.IsStrided)
            throw Mismatch("attend", $"{shape} over main rows {Of(main)} and classes {Of(classes)}");
    }

    /// <summary>The tensors of <see cref="IDevice.Attend"/>.</summary>
    public static void Attend(AttendShape shape, ScoreRule rule, RowBatch batch, Tensor main, Tensor rotary, Tensor destination)
    {
        var rows = batch.Rows;
        if (shape.Classes > 0 && !rule.Turn.IsEmpty) throw Mismatch("attend", $"{shape}: keys of classes do not turn");
        if (rule.Turn.Angles is { IsEmpty: false } angles && (angles.Columns > shape.MainWidth || angles.Columns % 2 != 0 || angles.Rows <= batch.Last))
            throw Mismatch("attend", $"{shape}: keys turn by angles {Of(angles)} up to position {batch.Last}");
        if (!Is(main, shape.MainWidth) || !Is(destination, shape.OutputWidth) || (shape.RotaryWidth > 0 && !Is(rotary, shape.RotaryWidth))
            || (!rule.Sinks.IsEmpty && rule.Sinks.Columns != shape.QueryHeads))
            throw Mismatch("attend", $"{shape} on {rows} rows: queries {Of(main)} and {Of(rotary)}, "
                + $"sinks {Of(rule.Sinks)}, destination {Of(destination)}");

        bool Is(Tensor tensor, int width) => tensor.Rows == rows && tensor.Heads == shape.QueryHeads && tensor.Width == width;
    }

    /// <summary>The arguments of <see cref="IDevice.AttendExpanded"/> but its tensors: matrices, streams and page tables.</summary>
    public static void AttendExpanded(Expansion expansion, AttendRows cached, RowBatch batch, PageBatch pages)
    {
        var (keys, values, main) = (expansion.Keys, expansion.Values, cached.Main);
        var rebuilt = values is null
            ? cached.Value.Groups == keys.Stack && cached.Value.RowsPerPage == main.RowsPerPage
            : keys.Stack == values.Stack && values.Inputs == main.Width && cached.Value.IsEmpty && cached.SharedValue.IsEmpty;
        if (main.Groups < 1 || keys.Stack % main.Groups != 0 || keys.Inputs != main.Width || !rebuilt
            || !IsShared(cached.Rotary) || !IsShared(cached.SharedValue))
            throw Mismatch("attend", $"keys of {Of(keys)} and values of {(values is null ? "their rows" : Of(values))} over latents {Of(main)}, "
                + $"rotary rows {Of(cached.Rotary)}, value rows {Of(cached.Value)} and {Of(cached.SharedValue)}");
        if (expansion.Gate is { } gate) Gate(gate, keys, values, cached.Ids, main);

        bool IsShared(PagedRows stream) => stream.IsEmpty || (stream.Groups == 1 && stream.RowsPerPage == main.RowsPerPage);
        if (main.IsStrided) throw Mismatch("attend", $"keys that are rebuilt of rows of {main.Stride} tokens");
        Tables(main.RowsPerPage, batch, pages);
    }

    static void Gate(RowGate gate, Matrix keys, Matrix? values, PagedRows ids, PagedRows main)
    {
        var (keyWidth, valueWidth) = (keys.Stack * keys.Outputs, keys.Stack * values?.Outputs ?? 0);
        if (values is null || ids.Groups != 1 || ids.Width != 1 || ids.RowsPerPage != main.RowsPerPage
            || !Alike(gate.Keys, keys) || !Alike(gate.Values, values) || gate.Embedding.Inputs != gate.Keys.Inputs || gate.Embedding.Stack != 1)
            throw Mismatch("gate", $"keys of {Of(keys)} by {Of(gate.Keys)} of {Of(gate.Embedding)}, ids {Of(ids)}");
        if (gate.Norm.Span != GateSpan.None && (gate.Norm.KeyWeight.Columns != keyWidth || gate.Norm.KeyBias.Columns != keyWidth
            || gate.Norm.ValueWeight.Columns != valueWidth || gate.Norm.ValueBias.Columns != valueWidth))
            throw Mismatch("gate", $"{keyWidth} values of keys and {valueWidth} of values, normed by {Of(gate.Norm.KeyWeight)} and {Of(gate.Norm.ValueWeight)}");

        static bool Alike(Matrix gate, Matrix of) => gate.Stack == of.Stack && gate.Outputs == of.Outputs;
    }

    /// <summary>The arguments of <see cref="IDevice.CopyPages"/>.</summary>
    public static void CopyPages(ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        if (from.Length != to.Length) throw Mismatch("copy pages", $"{from.Length} pages onto {to.Length}");
    }

    /// <summary>The arguments of <see cref="IDevice.SwapPages"/>.</summary>
    public static void SwapPages(PagedRows stream, PagedRows host, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        CopyPages(from, to);
        if (stream with { Address = 0 } != host with { Address = 0 }) throw Mismatch("swap pages", "a stream and host memory of other pages");
    }

    /// <summary>The arguments of <see cref="IDevice.Recall"/>.</summary>
    public static void Recall(Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        if (source.Width < 1 || source.Heads != destination.Heads || destination.Width % source.Width != 0 || source.Rows != destination.Rows
            || state.Width != destination.Columns - source.Columns)
            throw Mismatch("recall", $"source {Of(source)}, a state of {state.Width} values, destination {Of(destination)}");
        Places("recall", source, batch, places);
    }

    /// <summary>The arguments of <see cref="IDevice.Convolve"/>.</summary>
    public static void Convolve(Tensor windows, Tensor weights, Tensor bias, Tensor destination)
    {
        if (windows.Rows != destination.Rows || windows.Heads != destination.Heads || destination.Width < 1 || windows.Width % destination.Width != 0
            || weights.Columns != windows.Columns || (!bias.IsEmpty && bias.Columns != destination.Columns))
            throw Mismatch("convolve", $"windows {Of(windows)}, weights {Of(weights)}, bias {Of(bias)}, destination {Of(destination)}");
    }

    /// <summary>The arguments of <see cref="IDevice.Accumulate"/>.</summary>
    public static void Accumulate(Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        Same("accumulate", source, destination);
        if (state.Width != source.Columns) throw Mismatch("accumulate", $"source {Of(source)}, a state of {state.Width} values");
        Places("accumulate", source, batch, places);
    }

    /// <summary>The arguments of <see cref="IDevice.Delta"/>.</summary>
    public static void Delta(DeltaRows rows, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        var (query, value) = (rows.Query, rows.Value);
        Same("apply the delta rule", query, rows.Key);
        Same("apply the delta rule", query, rows.LogDecay);
        Same("apply the delta rule", value, destination);
        if (value.Rows != query.Rows || value.Heads != query.Heads || rows.Strength.Rows != query.Rows || rows.Strength.Columns != query.Heads
            || state.Width != query.Columns * value.Width)
            throw Mismatch("apply the delta rule",
                $"queries {Of(query)}, values {Of(value)}, strengths {Of(rows.Strength)}, a state of {state.Width} values");
        Places("apply the delta rule", query, batch, places);
    }

    /// <summary>The arguments of <see cref="IDevice.Dot"/>.</summary>
    public static void Dot(Tensor left, Tensor right, Tensor destination)
    {
        Same("multiply vectors", left, right);
        if (destination.Rows != left.Rows || destination.Columns != left.Heads)
            throw Mismatch("multiply vectors", $"{Of(left)} into {Of(destination)}");
    }

    static void Places(string operation, Tensor source, RowBatch batch, StateBatch places)
    {
        if (source.Rows != batch.Rows || places.Runs != batch.Runs)
            throw Mismatch(operation, $"{Of(source)}, {batch.Rows} rows in {batch.Runs} runs with {places.Runs} places");
        foreach (var place in places.Places)
            if (place < 0) throw Mismatch(operation, $"a run has no place for its state");
    }

    static void Open(PagedRows stream)
    {
        if (stream.Stride < 1 || (stream.IsStrided && stream.Open == 0))
            throw Mismatch("reach the cache", $"rows of {stream.Stride} tokens, without room for the rows that are still open");
    }

    /// <summary>The arguments of <see cref="ITokenChooser.Choose"/>.</summary>
    public static void Choose(Tensor logits, ChoiceBatch batch, int firstRow)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (logits.Heads != 1 || logits.Columns > ITokenChooser.MaxVocabulary || firstRow < 0 || firstRow + logits.Rows > batch.Rows.Length)
            throw Mismatch("choose", $"logits {Of(logits)}, rows from {firstRow} of {batch.Rows.Length}; {ITokenChooser.MaxVocabulary} logits are the most");
        if (batch.Masks.Length % ((logits.Columns + 63) / 64) != 0)
            throw Mismatch("choose", $"logits {Of(logits)}, masks of {batch.Masks.Length} words together");
    }

    static void Tables(int rowsPerPage, RowBatch batch, PageBatch pages)
    {
        for (var run = 0; run < batch.Runs; run++)
        {
            var (first, last) = (batch.RunStarts[run], batch.RunStarts[run + 1] - 1);
            if (last < first) continue;
            if (batch.Positions[first] < 0 || batch.Positions[last] / rowsPerPage >= pages.Of(run).Length)
                throw Mismatch("reach the cache", $"run {run} has positions {batch.Positions[first]} to {batch.Positions[last]}, "
                    + $"but a table of {pages.Of(run).Length} pages of {rowsPerPage} rows");
        }
    }

    static void Indices(string operation, ReadOnlySpan<int> indices, int count)
    {
        foreach (var index in indices)
            if ((uint)index >= (uint)count)
                throw new ArgumentOutOfRangeException(nameof(indices), $"Cannot {operation}: row {index} of {count}.");
    }

    static ArgumentException Mismatch(string operation, string what) => new($"Cannot {operation}: {what}.");

    static string Of(Tensor tensor) => tensor.IsEmpty ? "none" : $"[{tensor.Rows} x {tensor.Heads} x {tensor.Width}]";

    static string Of(Matrix matrix) => $"[{matrix.Stack} x {matrix.Outputs} x {matrix.Inputs}]";

    static string Of(PagedRows stream) => stream.IsEmpty ? "none" : $"[{stream.RowsPerPage} x {stream.Groups} x {stream.Width}] a page";
}
