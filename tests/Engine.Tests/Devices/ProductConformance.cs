using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Tests;

/// <summary>Products with stored matrices, plain and stacked, and rows of a stored table.</summary>
/// <param name="create">Makes the device with a number of threads.</param>
/// <param name="tolerance">Error allowed, in parts of the sum of absolute terms.</param>
public abstract class ProductConformance(Func<int, IDevice> create, double tolerance = 1e-5) : DeviceConformance(create)
{
    public static TheoryData<StoredType> Types => [.. Enum.GetValues<StoredType>()];

    [Theory, MemberData(nameof(Types))]
    public void Multiply_agrees_with_the_reference(StoredType type)
    {
        int[] outputs = [1, 5, 33, 259, 1000];
        foreach (var inputs in InputsOf(type))
            for (var i = 0; i < RowCounts.Length; i++)
            {
                // Every pair of neighbours in the two lists; the widest matrix meets few rows, to stay quick.
                var (rows, width) = (RowCounts[i], outputs[(i + inputs) % outputs.Length]);
                Agrees($"{type.Name()} {width} x {inputs} on {rows} rows", lab => Multiply(lab, type, rows, inputs, width, bias: i % 2 == 1), tolerance);
            }
    }

    [Theory, MemberData(nameof(Types))]
    public void A_product_of_a_row_depends_on_that_row_alone(StoredType type)
    {
        var inputs = type.BlockValues() == 1 ? 71 : 2 * type.BlockValues();
        RowsStandAlone($"{type.Name()} 131 x {inputs}", (lab, ids) =>
        {
            var weights = lab.Device.Load(lab.Stored(type, 131, inputs));
            var (bias, destination) = (lab.Draw(1, 1, 131), lab.Blank(ids.Length, 1, 131));
            lab.Device.Multiply(weights, lab.DrawRows(ids, 1, inputs), bias, destination);
            return lab.Read(destination);
        });
    }

    [Fact]
    public void A_long_product_of_a_row_depends_on_that_row_alone() => RowsStandAlone("BF16 67 x 1600", (lab, ids) =>
    {
        var weights = lab.Device.Load(lab.Stored(StoredType.BF16, 67, 1600));
        var destination = lab.Blank(ids.Length, 1, 67);
        lab.Device.Multiply(weights, lab.DrawRows(ids, 1, 1600), default, destination);
        return lab.Read(destination);
    });

    [Theory, MemberData(nameof(Types))]
    public void Rows_of_a_table_are_widened_and_scaled(StoredType type)
    {
        foreach (var inputs in InputsOf(type))
            Agrees($"{type.Name()} table of {inputs}", lab =>
            {
                var table = lab.Device.Load(lab.Stored(type, 37, inputs));
                int[] ids = [36, 0, 5, 5, 17];
                var destination = lab.Blank(ids.Length, 1, inputs);
                lab.Device.Embed(table, ids, 1.5f, destination);
                return lab.Read(destination);
            }, tolerance: 1e-6);
    }

    [Theory, InlineData(37), InlineData(-1)]
    public void An_id_outside_the_table_is_refused(int id)
    {
        using var lab = new DeviceLab(Device(), 1, loose: false);
        var table = lab.Device.Load(lab.Stored(StoredType.F32, 37, 8));
        var destination = lab.Blank(1, 1, 8);
        var error = Assert.ThrowsAny<ArgumentException>(() => lab.Device.Embed(table, [id], 1, destination));
        Assert.Contains(id.ToString(), error.Message);
        Assert.Contains("37", error.Message);
    }

    [Theory, MemberData(nameof(Types))]
    public void Each_head_has_a_matrix_of_its_own(StoredType type)
    {
        var inputs = type.BlockValues() == 1 ? 33 : type.BlockValues();
        foreach (var (rows, heads, outputs) in new[] { (1, 1, 5), (3, 5, 33), (8, 4, 64), (13, 3, 1), (70, 2, 7) })
            Agrees($"{type.Name()} {heads} heads of {outputs} x {inputs} on {rows} rows", lab =>
            {
                var stored = lab.Stored(type, heads, outputs, inputs);
                var (source, destination) = (lab.Draw(rows, heads, inputs), lab.Blank(rows, heads, outputs));
                lab.Device.MultiplyHeads(lab.Device.Load(stored), source, destination);
                lab.Sizes = Sizes(stored, lab.Read(source));
                return lab.Read(destination);
            }, tolerance);
    }

    [Fact]
    public void A_head_product_of_a_row_depends_on_that_row_alone() => RowsStandAlone("5 heads of 33 x 130", (lab, ids) =>
    {
        var weights = lab.Device.Load(lab.Stored(StoredType.BF16, 5, 33, 130));
        var destination = lab.Blank(ids.Length, 5, 33);
        lab.Device.MultiplyHeads(weights, lab.DrawRows(ids, 5, 130), destination);
        return lab.Read(destination);
    });

    [Fact]
    public void Products_that_do_not_fit_are_refused_with_their_numbers()
    {
        using var lab = new DeviceLab(Device(), 1, loose: false);
        var matrix = lab.Device.Load(lab.Stored(StoredType.F32, 6, 10));
        var stack = lab.Device.Load(lab.Stored(StoredType.F32, 3, 6, 10));
        Tensor narrow = lab.Draw(2, 1, 9), fits = lab.Draw(2, 1, 10), heads = lab.Draw(2, 2, 10);
        Tensor destination = lab.Blank(2, 1, 6), shorter = lab.Blank(1, 1, 6), vectors = lab.Blank(2, 2, 6);
        Refused("9", () => lab.Device.Multiply(matrix, narrow, default, destination));
        Refused("[1 x 1 x 6]", () => lab.Device.Multiply(matrix, fits, default, shorter));
        Refused("[2 x 1 x 9]", () => lab.Device.Multiply(matrix, fits, narrow, destination));
        Refused("[3 x 6 x 10]", () => lab.Device.Multiply(stack, fits, default, destination));
        Refused("[2 x 2 x 10]", () => lab.Device.MultiplyHeads(stack, heads, vectors));
        var vector = lab.Stored(StoredType.F32, 10);
        Assert.ThrowsAny<ArgumentException>(() => lab.Device.Load(vector));

        static void Refused(string number, Action call) => Assert.Contains(number, Assert.ThrowsAny<ArgumentException>(call).Message);
    }

    static int[] InputsOf(StoredType type) => type.BlockValues() switch
    {
        1 => [1, 7, 31, 33, 576],
        32 => [32, 96, 576],
        _ => [256, 768],
    };

    static float[] Multiply(DeviceLab lab, StoredType type, int rows, int inputs, int outputs, bool bias)
    {
        var stored = lab.Stored(type, outputs, inputs);
        var source = lab.Draw(rows, 1, inputs);
        var destination = lab.Blank(rows, 1, outputs);
        lab.Device.Multiply(lab.Device.Load(stored), source, bias ? lab.Draw(1, 1, outputs) : default, destination);
        lab.Sizes = Sizes(stored, lab.Read(source));
        return lab.Read(destination);
    }

    // |w| |x| is no less than the sum of |w_i x_i|, and near it for drawn values; a bias adds at most 1.
    static float[] Sizes(StoredTensor stored, float[] source)
    {
        var (weights, vectors) = (Lengths(RowWidening.Widen(stored), stored.Columns), Lengths(source, stored.Columns));
        var outputs = stored.Shape[^2];
        var stack = stored.Rows / outputs;
        return [.. vectors.SelectMany((length, vector) => weights.Skip(vector % stack * outputs).Take(outputs).Select(weight => weight * length + 1))];
    }

    static float[] Lengths(float[] values, int width) =>
        [.. values.Chunk(width).Select(vector => MathF.Sqrt(vector.Sum(value => value * value)))];
}
