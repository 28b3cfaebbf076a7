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

    /// <summary>How many choices of tokens are wrong, of rows whose answers are plain to see; none where a device leaves them to the host.</summary>
    public static int WrongChoices(IDevice device)
    {
        if (device is not ITokenChooser chooser) return 0;
        const int Tokens = 3000, Kept = 5;
        var plain = new ChoiceTerms { Least = double.NegativeInfinity, InverseTemperature = 1, TopP = 1, Repetition = 1, Mask = -1 };
        var (batch, right) = (new ChoiceBatch(), new List<int>());
        // Equal tokens, so that shares are counts of ids.
        batch.AddRow(0);
        foreach (var uniform in new[] { 0, 0.3, 0.999 })
        {
            Choose(plain with { Uniform = uniform }, (int)(uniform * Tokens));
            Choose(plain with { Uniform = uniform, TopK = 70 }, (int)(uniform * 70));
            Choose(plain with { Uniform = uniform, TopP = 0.5f }, (int)(uniform * Tokens / 2));
        }
        batch.AddBans([0, 1]);
        batch.AddCount(2, 1);
        Choose(plain with { TopK = 1, Presence = 1 }, 3);
        batch.AddBias(77, 2);
        Choose(plain with { TopK = 1 }, 77);
        var mask = new ulong[(Tokens + 63) / 64];
        mask[^2] = 2;
        Choose(plain with { Mask = batch.AddMask(mask), Uniform = 0.5 }, (mask.Length - 2) * 64 + 1);
        // Different tokens in no order, of which the best, made nearly equal, are drawn from by id.
        batch.AddRow(1);
        Choose(plain with { TopK = 1 }, 0);
        int[] best = [.. Enumerable.Range(0, Tokens).Where(id => Rank(id) < Kept)];
        for (var i = 0; i < Kept; i++) Choose(plain with { TopK = Kept, InverseTemperature = 1e-3f, Uniform = (i + 0.5) / Kept }, best[i]);

        using var drawn = new DrawnTensors(device);
        var logits = drawn.Vectors(2, 1, Tokens);
        device.Write([.. new float[Tokens], .. Enumerable.Range(0, Tokens).Select(id => -0.01f * Rank(id))], logits);
        chooser.Choose(logits, batch, 0);
        var chosen = new int[right.Count];
        chooser.Chosen(chosen);
        return chosen.Zip(right).Count(pair => pair.First != pair.Second);

        static int Rank(int id) => id * 7 % Tokens;

        void Choose(ChoiceTerms terms, int answer)
        {
            batch.Add(terms);
            right.Add(answer);
        }
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
