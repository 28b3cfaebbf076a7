using Serving.Devices;

namespace Serving.Tests;

/// <summary>Memory, copies, and the operations on single vectors and values.</summary>
public abstract class ElementConformance(Func<int, IDevice> create) : DeviceConformance(create)
{
    public static TheoryData<NormKind> Norms => [.. Enum.GetValues<NormKind>()];

    public static TheoryData<Activation> Activations => [.. Enum.GetValues<Activation>()];

    [Fact]
    public void Memory_is_zeroed_and_aligned_and_can_be_given_back()
    {
        var device = Device();
        Assert.True(device.FreeBytes > 0);
        Assert.NotEmpty(device.Description);
        for (var i = 0; i < 3; i++)
        {
            var block = device.Allocate(4 * 1001);
            Assert.Equal(0, block % 64);
            var (values, tensor) = (new float[1001], Tensor.Matrix(block, 7, 143));
            device.Read(tensor, values);
            Assert.All(values, value => Assert.Equal(0, value));
            device.Write(Enumerable.Repeat(1f, 1001).ToArray(), tensor);
            device.Free(block);
        }
        Assert.ThrowsAny<Exception>(() => device.Allocate(long.MaxValue / 2));
    }

    [Fact]
    public void What_was_written_is_read_and_nothing_beside_it() => Agrees("write and read", lab =>
    {
        var tensor = lab.Draw(7, 3, 33);
        return [.. lab.Read(tensor), .. lab.Read(tensor.PickHeads(1, 2).Slice(5, 9).Range(2, 4))];
    }, tolerance: 0);

    [Fact]
    public void A_copy_of_another_length_is_refused_with_both_numbers()
    {
        using var lab = new DeviceLab(Device(), 1, loose: false);
        var tensor = lab.Draw(3, 1, 5);
        Assert.Contains("14", Assert.ThrowsAny<ArgumentException>(() => lab.Device.Read(tensor, new float[14])).Message);
        Assert.Contains("16", Assert.ThrowsAny<ArgumentException>(() => lab.Device.Write(new float[16], tensor)).Message);
    }

    [Theory, MemberData(nameof(Norms))]
    public void Normalize_agrees_with_the_reference(NormKind kind)
    {
        foreach (var (rows, heads, width) in new[] { (1, 1, 1), (3, 1, 7), (2, 5, 31), (5, 3, 64), (8, 1, 576), (13, 2, 33) })
            foreach (var (weight, bias, offset) in new[] { (0, 0, 0f), (1, 0, 1f), (heads, 1, 0f), (heads, heads, 1f) })
                foreach (var inPlace in new[] { false, true })
                    Agrees($"{kind} of {rows} x {heads} x {width}, weights {weight}, bias {bias}", lab =>
                    {
                        var norm = new Norm(kind, 1e-5f, Factors(lab, weight), Factors(lab, bias), offset);
                        var source = lab.Draw(rows, heads, width, 3);
                        var destination = inPlace ? source : lab.Blank(rows, heads, width);
                        lab.Device.Normalize(norm, source, destination);
                        return lab.Read(destination);

                        Tensor Factors(DeviceLab lab, int vectors) => vectors == 0 ? default : lab.Draw(1, 1, vectors * width);
                    });
    }

    [Theory, MemberData(nameof(Norms))]
    public void A_vector_of_zeros_stays_finite(NormKind kind) => Agrees($"{kind} of zeros", lab =>
    {
        var source = lab.Put(new float[3 * 33], 3, 1, 33);
        lab.Device.Normalize(new(kind, 1e-6f), source, source);
        return lab.Read(source);
    });

    [Theory, MemberData(nameof(Norms))]
    public void A_normalised_row_depends_on_that_row_alone(NormKind kind) => RowsStandAlone($"{kind}", (lab, ids) =>
    {
        var source = lab.DrawRows(ids, 3, 67);
        lab.Device.Normalize(new(kind, 1e-6f, lab.Draw(1, 1, 67)), source, source);
        return lab.Read(source);
    });

    [Theory, InlineData(false), InlineData(true)]
    public void Rotate_agrees_with_the_reference(bool interleaved)
    {
        foreach (var (rows, heads, width) in new[] { (1, 1, 2), (3, 5, 6), (13, 4, 64), (2, 3, 66), (5, 1, 18), (70, 2, 32) })
            Agrees($"rotate {rows} x {heads} x {width}", lab =>
            {
                var vectors = lab.Draw(rows, heads, width);
                lab.Device.Rotate(vectors, lab.Draw(rows, 1, width), interleaved);
                return lab.Read(vectors);
            });
    }

    [Fact]
    public void A_rotated_row_depends_on_that_row_alone() => RowsStandAlone("rotate", (lab, ids) =>
    {
        var vectors = lab.DrawRows(ids, 3, 34);
        lab.Device.Rotate(vectors, lab.DrawRows(ids, 1, 34, salt: 1), interleaved: false);
        return lab.Read(vectors);
    });

    [Theory, MemberData(nameof(Activations))]
    public void Activate_agrees_with_the_reference(Activation activation)
    {
        foreach (var (rows, width) in new[] { (1, 1), (3, 7), (5, 31), (2, 576), (13, 33) })
            foreach (var size in new[] { 1f, 12f, 100f })
                foreach (var (gated, inPlace) in new[] { (true, false), (true, true), (false, false) })
                    Agrees($"{activation} of {rows} x {width} up to {size}", lab =>
                    {
                        var (gate, up) = (lab.Draw(rows, 1, width, size), gated ? lab.Draw(rows, 1, width) : default);
                        var destination = inPlace ? gate : lab.Blank(rows, 1, width);
                        lab.Device.Activate(activation, gate, up, destination);
                        return lab.Read(destination);
                    });
    }

    public static TheoryData<GateRule> Gates =>
    [
        new GateRule(Activation.Silu, Sharpness: 1.702f, GateLimit: 7, UpLimit: 7, UpOffset: 1),
        new GateRule(Activation.Silu, ResultLimit: 1.5f, UpLimit: 1.5f),
        new GateRule(Activation.GeluTanh, GateLimit: 0.5f),
        new GateRule(Activation.Sigmoid, UpOffset: -2),
    ];

    [Theory, MemberData(nameof(Gates))]
    public void Gate_rules_agree_with_the_reference(GateRule rule)
    {
        foreach (var (rows, width) in new[] { (1, 1), (3, 31), (13, 33), (2, 576) })
            foreach (var gated in new[] { true, false })
                Agrees($"{rule} of {rows} x {width}", lab =>
                {
                    var (gate, up) = (lab.Draw(rows, 1, width, 12), gated ? lab.Draw(rows, 1, width, 12) : default);
                    lab.Device.Activate(rule, gate, up, gate);
                    return lab.Read(gate);
                });
    }

    [Theory, MemberData(nameof(Activations))]
    public void An_activated_row_depends_on_that_row_alone(Activation activation) => RowsStandAlone($"{activation}", (lab, ids) =>
    {
        var gate = lab.DrawRows(ids, 1, 67);
        lab.Device.Activate(activation, gate, lab.DrawRows(ids, 1, 67, salt: 1), gate);
        return lab.Read(gate);
    });

    [Fact]
    public void Add_and_scale_agree_with_the_reference()
    {
        foreach (var (rows, heads, width) in new[] { (1, 1, 1), (3, 2, 7), (13, 1, 576), (5, 3, 33) })
            Agrees($"add and scale {rows} x {heads} x {width}", lab =>
            {
                var (source, destination) = (lab.Draw(rows, heads, width), lab.Draw(rows, heads, width));
                lab.Device.Add(source, -0.75f, destination);
                lab.Device.Scale(source, 1.25f, default);
                lab.Device.Scale(destination, 3, lab.Draw(rows, 1, 1));
                lab.Device.Scale(destination, 3, lab.Draw(rows, 1, heads));
                return [.. lab.Read(source), .. lab.Read(destination)];
            });
    }

    [Fact]
    public void A_row_with_a_factor_of_its_own_takes_no_other()
    {
        using var lab = new DeviceLab(Device(), 1, loose: false);
        var rows = lab.Put([1, 2, 3, 4], 2, 1, 2);
        lab.Device.Scale(rows, 100, lab.Put([2, -1], 2, 1, 1));
        Assert.Equal([2, 4, -3, -4], lab.Read(rows));
    }

    [Fact]
    public void A_vector_with_a_factor_of_its_own_takes_no_other()
    {
        using var lab = new DeviceLab(Device(), 1, loose: false);
        var rows = lab.Put([1, 2, 3, 4], 1, 2, 2);
        lab.Device.Scale(rows, 100, lab.Put([2, -1], 1, 1, 2));
        Assert.Equal([2, 4, -3, -4], lab.Read(rows));
    }

    [Fact]
    public void An_added_and_scaled_row_depends_on_that_row_alone() => RowsStandAlone("add and scale", (lab, ids) =>
    {
        var destination = lab.DrawRows(ids, 1, 67);
        lab.Device.Add(lab.DrawRows(ids, 1, 67, salt: 1), 0.3f, destination);
        lab.Device.Scale(destination, 0, lab.DrawRows(ids, 1, 1, salt: 2));
        return lab.Read(destination);
    });

    [Fact]
    public void Gather_copies_rows() => Agrees("gather", lab =>
    {
        var (source, destination) = (lab.Draw(9, 2, 33), lab.Blank(5, 2, 33));
        lab.Device.Gather(source, [8, 0, 3, 3, 7], destination);
        return lab.Read(destination);
    }, tolerance: 0);

    [Theory, InlineData(9), InlineData(-1)]
    public void A_gathered_row_outside_the_source_is_refused(int row)
    {
        using var lab = new DeviceLab(Device(), 1, loose: false);
        var (source, destination) = (lab.Draw(9, 1, 4), lab.Blank(1, 1, 4));
        Assert.Contains(row.ToString(), Assert.ThrowsAny<ArgumentException>(() => lab.Device.Gather(source, [row], destination)).Message);
    }

    [Fact]
    public void Operands_of_different_shapes_are_refused_with_their_numbers()
    {
        using var lab = new DeviceLab(Device(), 1, loose: false);
        Tensor five = lab.Draw(2, 1, 5), six = lab.Draw(2, 1, 6), one = lab.Draw(1, 1, 6);
        Refused(() => lab.Device.Add(five, 1, six));
        Refused(() => lab.Device.Activate(Activation.Silu, six, five, six));
        Refused(() => lab.Device.Normalize(new(NormKind.Layer, 1e-5f, five), six, six));
        Refused(() => lab.Device.Rotate(five, five, false));
        Refused(() => lab.Device.Rotate(six, one, false));
        Refused(() => lab.Device.Scale(six, 1, five));

        static void Refused(Action call) => Assert.Matches("[156]", Assert.ThrowsAny<ArgumentException>(call).Message);
    }
}
