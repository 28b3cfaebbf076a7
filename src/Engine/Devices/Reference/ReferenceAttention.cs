namespace Serving.Devices.Reference;

/// <summary>Textbook attention of one query vector over the cached rows of its run, in double precision: no spans, no running maximum.</summary>
static class ReferenceAttention
{
    /// <summary>
    /// Writes softmax(scores) times values of the rows that a token sees, from the rule's first to its own; where tokens share rows, its
    /// own is the one that it left in the step.
    /// </summary>
    public static void Attend(
        AttendShape shape, ScoreRule rule, int head, (int Row, int Position) token, ReadOnlySpan<float> main, ReadOnlySpan<float> rotary,
        AttendRows cached, ReadOnlySpan<int> pages, Span<float> destination)
    {
        var first = cached.Main.FirstRow(rule, token.Position);
        var group = head / (shape.QueryHeads / shape.Groups);
        var seen = new Seen(pages, first, cached.Main.LastRow(token.Position), token.Row);
        var weights = new double[seen.Last - first + 1 + (cached.Main.IsStrided ? 1 : 0)];
        for (var i = 0; i < weights.Length; i++)
        {
            var score = Dot(Read(seen, cached.Main, i, group, main.Length, shape, cached.Ids), first + i, main, rule.Turn);
            if (shape.RotaryWidth > 0) score += Dot(Read(seen, cached.Rotary, i, 0, rotary.Length), first + i, rotary, default);
            score *= rule.Scale;
            weights[i] = rule.Softcap > 0 ? rule.Softcap * Math.Tanh(score / rule.Softcap) : score;
        }
        Softmax(weights, rule.Sinks.IsEmpty ? double.NegativeInfinity : rule.Sinks.At(0, head));

        Sum(seen, shape.ValueInMain ? cached.Main : cached.Value, group, weights, destination[..shape.ValueWidth], shape, cached.Ids);
        if (shape.SharedValueWidth > 0) Sum(seen, cached.SharedValue, 0, weights, destination[shape.ValueWidth..]);
    }

    /// <summary>The rows that a token sees: those in pages, then the one that it left open.</summary>
    readonly ref struct Seen(ReadOnlySpan<int> pages, int first, int last, int row)
    {
        readonly ReadOnlySpan<int> _pages = pages;

        public int Last { get; } = last;

        public Span<byte> Vector(PagedRows stream, int index, int group) => first + index <= Last
            ? ReferenceAttention.Vector(stream, _pages, first + index, group)
            : stream.OpenVector(row, group);
    }

    /// <summary>The first values of a row; where tokens have classes, of the parts of which its class has one.</summary>
    static float[] Read(Seen seen, PagedRows stream, int index, int group, int width, AttendShape shape = default, PagedRows classes = default)
    {
        var row = seen.Vector(stream, index, group);
        var values = new float[width];
        if (shape.Classes == 0)
        {
            for (var d = 0; d < width; d++) values[d] = stream.Value(row, d);
            return values;
        }
        var start = (int)classes.Value(seen.Vector(classes, index, 0), 0) * (stream.Width + 1);
        for (var d = 0; d < stream.Width; d++) values[start + d] = stream.Value(row, d);
        values[start + stream.Width] = 1;
        return values;
    }

    static void Sum(
        Seen seen, PagedRows values, int group, double[] weights, Span<float> destination, AttendShape shape = default, PagedRows classes = default)
    {
        var sums = new double[destination.Length];
        for (var i = 0; i < weights.Length; i++)
        {
            var row = Read(seen, values, i, group, sums.Length, shape, classes);
            for (var d = 0; d < sums.Length; d++) sums[d] += weights[i] * row[d];
        }
        for (var d = 0; d < sums.Length; d++) destination[d] = (float)sums[d];
    }

    /// <summary>The stored vector of a row.</summary>
    public static Span<byte> Vector(PagedRows stream, ReadOnlySpan<int> pages, int row, int group) =>
        stream.Vector(pages[row / stream.RowsPerPage], row % stream.RowsPerPage, group);

    static double Dot(float[] values, int position, ReadOnlySpan<float> query, KeyTurn turn)
    {
        if (!turn.IsEmpty) ReferenceElements.Rotate(values.AsSpan(0, turn.Angles.Columns), turn.Angles.Row(position), turn.Interleaved);
        var sum = 0.0;
        for (var d = 0; d < query.Length; d++) sum += (double)query[d] * values[d];
        return sum;
    }

    static void Softmax(double[] scores, double sink)
    {
        var greatest = Math.Max(scores.Max(), sink);
        var sum = Math.Exp(sink - greatest);
        for (var i = 0; i < scores.Length; i++) sum += scores[i] = Math.Exp(scores[i] - greatest);
        for (var i = 0; i < scores.Length; i++) scores[i] /= sum;
    }
}
