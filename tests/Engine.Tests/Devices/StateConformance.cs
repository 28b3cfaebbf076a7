using Serving.Devices;

namespace Serving.Tests;

/// <summary>Updates of states, and the operations on rows that go with them.</summary>
public abstract class StateConformance(Func<int, IDevice> create) : DeviceConformance(create)
{
    public static TheoryData<string> Updates => [.. Kinds.Keys];

    /// <summary>What an update reads of some rows, whose content is a function of their ids, and what it gives; the state's width comes first.</summary>
    static readonly Dictionary<string, (int Width, Func<DeviceLab, int[], StateRows, RowBatch, StateBatch, Tensor> Run)> Kinds = new()
    {
        ["window of 1 x 33"] = (2 * 33, (lab, ids, state, batch, places) => Recall(lab, ids, state, batch, places, 1, 33, 3)),
        ["window of 3 x 16"] = (3 * 48, (lab, ids, state, batch, places) => Recall(lab, ids, state, batch, places, 3, 16, 4)),
        ["delay of 2 x 40"] = (80, (lab, ids, state, batch, places) => Recall(lab, ids, state, batch, places, 2, 40, 2)),
        ["average of 1 x 70"] = (70, (lab, ids, state, batch, places) => Sum(lab, ids, state, batch, places, new(0.9f, 0.1f), 1, 70)),
        ["fold of 2 x 17 by 3"] = (34, (lab, ids, state, batch, places) => Sum(lab, ids, state, batch, places, new(1, 1, 3), 2, 17)),
        ["delta rule of 3 x 12 x 20"] = (720, (lab, ids, state, batch, places) => Delta(lab, ids, state, batch, places, 3, 12, 20)),
        ["delta rule of 2 x 33 x 16"] = (1056, (lab, ids, state, batch, places) => Delta(lab, ids, state, batch, places, 2, 33, 16)),
        ["delta rule of 2 x 20 x 84"] = (3360, (lab, ids, state, batch, places) => Delta(lab, ids, state, batch, places, 2, 20, 84)),
    };

    [Theory, MemberData(nameof(Updates))]
    public void Updates_agree_with_the_reference(string kind)
    {
        var (width, run) = Kinds[kind];
        Agrees(kind, lab =>
        {
            // Two new sequences among what others left, one that goes on twice in a step, and an empty run.
            var state = State(lab, width, 5);
            var (batch, places) = (new RowBatch(30, 6), new StateBatch(6));
            batch.Clear();
            places.Clear();
            (int Position, int Count, int Place, int Save)[] runs = [(0, 9, 2, StateBatch.None), (4, 1, 0, 4), (7, 2, 3, StateBatch.None), (9, 5, 3, StateBatch.None), (0, 0, 1, 0), (0, 1, 1, StateBatch.None)];
            foreach (var (position, count, place, save) in runs)
            {
                batch.Add(position, count);
                places.Add(place, save);
            }
            var output = lab.Read(run(lab, [.. Enumerable.Range(0, batch.Rows)], state, batch, places));
            return [.. output, .. lab.Read(Memory(state, 5))];
        });
    }

    [Theory, MemberData(nameof(Updates))]
    public void A_sequence_in_pieces_gives_what_it_gives_whole(string kind)
    {
        var (width, run) = Kinds[kind];
        var whole = Pieces([23], threads: 1);
        foreach (var pieces in new int[][] { [1, 1, 1, 20], [7, 7, 7, 2], [.. Enumerable.Repeat(1, 23)] })
            SameBits($"{kind} in {pieces.Length} pieces", whole, Pieces(pieces, threads: 2));

        float[] Pieces(int[] pieces, int threads)
        {
            using var lab = new DeviceLab(Device(threads), 3, loose: false);
            var (state, outputs, first) = (State(lab, width, 3), new List<float>(), 0);
            foreach (var count in pieces)
            {
                var (batch, places) = (new RowBatch(count + 4, 2), new StateBatch(2));
                batch.Clear();
                places.Clear();
                // A neighbour of changing length goes before it.
                batch.Add(5, count % 4);
                places.Add(2);
                batch.Add(first, count);
                places.Add(1);
                int[] ids = [.. Enumerable.Range(100, count % 4), .. Enumerable.Range(first, count)];
                var output = run(lab, ids, state, batch, places);
                outputs.AddRange(lab.Read(output.Range(count % 4, count)));
                first += count;
            }
            return [.. outputs, .. lab.Read(Memory(state, 3).Range(1, 1))];
        }
    }

    [Theory, MemberData(nameof(Updates))]
    public void A_saved_state_goes_on_as_the_one_it_was_taken_from(string kind)
    {
        var (width, run) = Kinds[kind];
        using var lab = new DeviceLab(Device(), 3, loose: false);
        var state = State(lab, width, 4);
        One(0, 6, 0, save: 2);
        var expected = One(6, 5, 0, StateBatch.None);
        SameBits(kind, expected, One(6, 5, 2, StateBatch.None));

        float[] One(int first, int count, int place, int save)
        {
            var (batch, places) = (new RowBatch(count, 1), new StateBatch(1));
            batch.Clear();
            places.Clear();
            batch.Add(first, count);
            places.Add(place, save);
            return lab.Read(run(lab, [.. Enumerable.Range(first, count)], state, batch, places));
        }
    }

    [Fact]
    public void A_state_of_another_size_or_a_run_without_place_is_refused_with_the_numbers()
    {
        using var lab = new DeviceLab(Device(), 3, loose: false);
        var (batch, places) = (new RowBatch(2, 1), new StateBatch(1));
        batch.Clear();
        places.Clear();
        batch.Add(0, 2);
        places.Add(0);
        var source = lab.Draw(2, 1, 8);
        var error = Assert.ThrowsAny<ArgumentException>(() => lab.Device.Accumulate(new(1, 1), source, State(lab, 9, 1), batch, places, source));
        Assert.Contains("9 values", error.Message);
        Assert.ThrowsAny<ArgumentException>(() => lab.Device.Recall(source, State(lab, 7, 1), batch, places, lab.Blank(2, 1, 16)));
        places.Clear();
        Assert.ThrowsAny<ArgumentException>(() => lab.Device.Accumulate(new(1, 1), source, State(lab, 8, 1), batch, places, source));
        places.Add(StateBatch.None);
        Assert.ThrowsAny<ArgumentException>(() => lab.Device.Accumulate(new(1, 1), source, State(lab, 8, 1), batch, places, source));
    }

    [Fact]
    public void Convolutions_products_and_shares_agree_with_the_reference()
    {
        foreach (var (rows, heads, width, taps) in new[] { (1, 1, 1, 1), (5, 1, 33, 4), (3, 4, 16, 2), (13, 2, 70, 1) })
        {
            foreach (var biased in new[] { false, true })
                Agrees($"convolution of {rows} x {heads} x {width} over {taps}", lab =>
                {
                    var destination = lab.Blank(rows, heads, width);
                    lab.Device.Convolve(
                        lab.Draw(rows, heads, taps * width), lab.Draw(1, 1, heads * taps * width), biased ? lab.Draw(1, 1, heads * width) : default, destination);
                    return lab.Read(destination);
                });
            Agrees($"products of {rows} x {heads} x {width}", lab =>
            {
                var destination = lab.Blank(rows, 1, heads);
                lab.Device.Dot(lab.Draw(rows, heads, width), lab.Draw(rows, heads, width), destination);
                return lab.Read(destination);
            });
            Agrees($"shares of {rows} x {heads} x {width}", lab =>
            {
                var vectors = lab.Draw(rows, heads, width, 9);
                lab.Device.Softmax(vectors);
                return lab.Read(vectors);
            });
        }
    }

    [Fact]
    public void Rows_of_convolutions_products_and_shares_stand_alone() => RowsStandAlone("convolution, product and shares", (lab, ids) =>
    {
        var (windows, convolved, products) = (lab.DrawRows(ids, 3, 2 * 35), lab.Blank(ids.Length, 3, 35), lab.Blank(ids.Length, 1, 3));
        lab.Device.Convolve(windows, lab.Draw(1, 1, 210), default, convolved);
        lab.Device.Dot(convolved, lab.DrawRows(ids, 3, 35, salt: 1), products);
        lab.Device.Softmax(products);
        var (left, right) = (lab.Read(convolved), lab.Read(products));
        return [.. Enumerable.Range(0, ids.Length).SelectMany(row => (float[])[.. left.AsSpan(row * 105, 105), .. right.AsSpan(row * 3, 3)])];
    });

    static Tensor Recall(DeviceLab lab, int[] ids, StateRows state, RowBatch batch, StateBatch places, int heads, int width, int taps)
    {
        var destination = lab.Blank(ids.Length, heads, taps * width);
        lab.Device.Recall(lab.DrawRows(ids, heads, width), state, batch, places, destination);
        return destination;
    }

    static Tensor Sum(DeviceLab lab, int[] ids, StateRows state, RowBatch batch, StateBatch places, RunningSum rule, int heads, int width)
    {
        var destination = lab.Blank(ids.Length, heads, width);
        lab.Device.Accumulate(rule, lab.DrawRows(ids, heads, width), state, batch, places, destination);
        return destination;
    }

    static Tensor Delta(DeviceLab lab, int[] ids, StateRows state, RowBatch batch, StateBatch places, int heads, int keys, int values)
    {
        var destination = lab.Blank(ids.Length, heads, values);
        var (key, decay, strength) = (lab.DrawRows(ids, heads, keys, salt: 2), lab.DrawRows(ids, heads, keys, salt: 4), lab.DrawRows(ids, 1, heads, salt: 5));
        lab.Device.Scale(key, 0.3f, default);
        // Logarithms of factors below one.
        lab.Device.Activate(Activation.Softplus, decay, default, decay);
        lab.Device.Scale(decay, -1, default);
        lab.Device.Activate(Activation.Sigmoid, strength, default, strength);
        lab.Device.Delta(new(lab.DrawRows(ids, heads, keys), key, lab.DrawRows(ids, heads, values, salt: 3), decay, strength), state, batch, places, destination);
        return destination;
    }

    /// <summary>Places that hold what their last owners left.</summary>
    static StateRows State(DeviceLab lab, int width, int places)
    {
        var bytes = (width * sizeof(float) + 63) / 64 * 64;
        var state = new StateRows(lab.Allocate(bytes * places), bytes, width);
        lab.Device.Write(lab.Values(width * places), Memory(state, places));
        return state;
    }

    static Tensor Memory(StateRows state, int places) =>
        new(state.Address, places, 1, state.Width, (int)(state.PlaceBytes / sizeof(float)), state.Width);
}
