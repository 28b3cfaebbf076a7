namespace Serving.Devices.Reference;

/// <summary>Textbook attention of one query vector over the cached rows of its run, in double precision: no spans, no running maximum.</summary>
static class ReferenceAttention
{
    /// <summary>Writes softmax(scores) times values of the positions from the rule's first visible one to <paramref name="position"/>.</summary>
    public static void Attend(
        AttendShape shape, ScoreRule rule, int head, int position, ReadOnlySpan<float> main, ReadOnlySpan<float> rotary,
        AttendRows cached, ReadOnlySpan<int> pages, Span<float> destination)
    {
        var first = rule.FirstVisible(position);
        var group = head / (shape.QueryHeads / shape.Groups);
        var weights = new double[position - first + 1];
        for (var i = 0; i < weights.Length; i++)
        {
            var score = Dot(cached.Main, pages, first + i, group, main, rule.Turn);
            if (shape.RotaryWidth > 0) score += Dot(cached.Rotary, pages, first + i, 0, rotary, default);
            score *= rule.Scale;
            weights[i] = rule.Softcap > 0 ? rule.Softcap * Math.Tanh(score / rule.Softcap) : score;
        }
        Softmax(weights, rule.Sinks.IsEmpty ? double.NegativeInfinity : rule.Sinks.At(0, head));

        Sum(shape.ValueInMain ? cached.Main : cached.Value, pages, first, group, weights, destination[..shape.ValueWidth]);
        if (shape.SharedValueWidth > 0) Sum(cached.SharedValue, pages, first, 0, weights, destination[shape.ValueWidth..]);
    }

    static void Sum(PagedRows values, ReadOnlySpan<int> pages, int first, int group, double[] weights, Span<float> destination)
    {
        var sums = new double[destination.Length];
        for (var i = 0; i < weights.Length; i++)
        {
            var row = Vector(values, pages, first + i, group);
            for (var d = 0; d < sums.Length; d++) sums[d] += weights[i] * values.Value(row, d);
        }
        for (var d = 0; d < sums.Length; d++) destination[d] = (float)sums[d];
    }

    /// <summary>The stored vector of a position.</summary>
    public static Span<byte> Vector(PagedRows stream, ReadOnlySpan<int> pages, int position, int group) =>
        stream.Vector(pages[position / stream.RowsPerPage], position % stream.RowsPerPage, group);

    static double Dot(PagedRows stream, ReadOnlySpan<int> pages, int position, int group, ReadOnlySpan<float> query, KeyTurn turn)
    {
        var row = Vector(stream, pages, position, group);
        var values = new float[query.Length];
        for (var d = 0; d < values.Length; d++) values[d] = stream.Value(row, d);
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
