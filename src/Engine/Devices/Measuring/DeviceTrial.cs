namespace Serving.Devices;

/// <summary>
/// A small piece of a layer whose result is known from another device: whether a device computes right on the machine at hand, before it
/// serves anybody. Rows are normalised, multiplied, cached, and attended to across pages and spans.
/// </summary>
public static class DeviceTrial
{
    /// <summary>The most that roundings of inputs and cached rows come to; what a wrong kernel gives is off by its whole size.</summary>
    public const double Tolerance = 0.05;

    // Tokens beyond a span of attention, in pages that lie in no order.
    const int Rows = 600, Asking = 40, Pages = 10, PageRows = 64, Width = 192, Heads = 4, Groups = 2, Head = 64;

    /// <summary>The greatest difference of the results, in parts of the greatest value; infinite where there is no number.</summary>
    public static double Difference(IDevice device, IDevice oracle)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(oracle);
        var (found, right) = (Compute(device), Compute(oracle));
        var difference = found.Zip(right, (a, b) => Math.Abs((double)a - b)).Max() / right.Max(Math.Abs);
        return double.IsNaN(difference) ? double.PositiveInfinity : difference;
    }

    static float[] Compute(IDevice device)
    {
        using var drawn = new DrawnTensors(device);
        var (batch, pages) = (new RowBatch(Rows, 1), new PageBatch(1));
        batch.Add(0, Rows);
        pages.Add([.. Enumerable.Range(0, Pages).Select(page => page * 3 % Pages)]);
        var hidden = drawn.Vectors(Rows, 1, Width);
        device.Normalize(new(NormKind.RootMeanSquare, 1e-5f, drawn.Vectors(1, 1, Width)), hidden, hidden);
        var queries = Product(Heads * Head).Split(Heads);
        var (keys, values) = (Cached(Product(Groups * Head).Split(Groups)), Cached(Product(Groups * Head).Split(Groups)));
        batch.Clear();
        batch.Add(Rows - Asking, Asking);
        var attended = drawn.Vectors(Asking, Heads, Head);
        device.Attend(new(Heads, Groups, Head, 0, Head, false), new(0.125f), queries.Range(Rows - Asking, Asking), default, new(keys, default, values), batch, pages, attended);
        var result = new float[Asking * Heads * Head];
        device.Read(attended, result);
        return result;

        Tensor Product(int outputs)
        {
            var product = drawn.Vectors(Rows, 1, outputs);
            device.Multiply(drawn.Halves(outputs, Width), hidden, default, product);
            return product;
        }

        PagedRows Cached(Tensor rows)
        {
            var bytes = (long)PageRows * Groups * Head * sizeof(ushort);
            var stream = new PagedRows(drawn.Take(Pages * bytes), bytes, PageRows, Groups, Head, CacheType.BFloat16);
            device.WriteRows(rows, stream, batch, pages);
            return stream;
        }
    }
}
