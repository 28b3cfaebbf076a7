namespace Serving.Devices.Reference;

/// <summary>Gates and norms the rebuilt keys and values of one position, head by head, in double precision.</summary>
static class GatedRow
{
    /// <summary>Changes the keys and values of all heads in place.</summary>
    public static void Apply(RowGate gate, int id, float[][] keys, float[][] values)
    {
        var embedded = new float[gate.Embedding.Inputs];
        ((ReferenceMatrix)gate.Embedding).Row(0, id, embedded);
        var (gatedKeys, gatedValues) = (Times(gate.Keys, embedded, keys), Times(gate.Values, embedded, values));
        foreach (var together in Spans(gate.Norm.Span, keys.Length))
        {
            double[] all = [.. together.Keys.SelectMany(head => gatedKeys[head]), .. together.Values.SelectMany(head => gatedValues[head])];
            var mean = all.Average();
            var factor = 1 / Math.Sqrt(all.Average(value => (value - mean) * (value - mean)) + gate.Norm.Epsilon);
            foreach (var head in together.Keys) Scale(gatedKeys[head], mean, factor, gate.Norm.KeyWeight, gate.Norm.KeyBias, head);
            foreach (var head in together.Values) Scale(gatedValues[head], mean, factor, gate.Norm.ValueWeight, gate.Norm.ValueBias, head);
        }
        Round(gatedKeys, keys);
        Round(gatedValues, values);
    }

    static IEnumerable<(int[] Keys, int[] Values)> Spans(GateSpan span, int heads)
    {
        int[] all = [.. Enumerable.Range(0, heads)];
        return span switch
        {
            GateSpan.All => [(all, all)],
            GateSpan.Head => all.Select(head => ((int[])[head], (int[])[head])),
            GateSpan.Part => [(all, []), ([], all)],
            _ => [],
        };
    }

    static double[][] Times(Matrix gates, float[] embedded, float[][] vectors)
    {
        var factors = new float[gates.Outputs];
        return [.. vectors.Select((vector, head) =>
        {
            ((ReferenceMatrix)gates).Multiply(head, embedded, [], factors);
            return vector.Zip(factors, (value, factor) => (double)value * factor).ToArray();
        })];
    }

    static void Scale(double[] vector, double mean, double factor, Tensor weights, Tensor biases, int head)
    {
        for (var i = 0; i < vector.Length; i++)
            vector[i] = (vector[i] - mean) * factor * weights.At(0, head * vector.Length + i) + biases.At(0, head * vector.Length + i);
    }

    static void Round(double[][] from, float[][] to)
    {
        for (var head = 0; head < from.Length; head++)
            for (var i = 0; i < from[head].Length; i++) to[head][i] = (float)from[head][i];
    }
}
