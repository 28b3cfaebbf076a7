using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Tests;

/// <summary>The reference against numbers worked out here: by hand, by published tables, or by a formula on unpaged arrays.</summary>
public sealed class ReferenceDeviceTests : IDisposable
{
    readonly ReferenceDevice _device = new();
    readonly DeviceLab _lab;

    public ReferenceDeviceTests() => _lab = new(_device, 7, loose: false);

    [Fact]
    public unsafe void A_product_is_rows_times_columns_plus_bias()
    {
        float[] weights = [1, 2, 3, -1, 0, 0.5f];
        fixed (float* data = weights)
        {
            var matrix = _device.Load(new("w", StoredType.F32, [2, 3], (nint)data));
            var destination = _lab.Blank(2, 1, 2);
            _device.Multiply(matrix, _lab.Put([1, 1, 1, 2, 0, 4], 2, 1, 3), _lab.Put([10, 20], 1, 1, 2), destination);
            Assert.Equal([16, 19.5f, 24, 20], _lab.Read(destination));
        }
    }

    [Fact]
    public unsafe void A_sum_is_rounded_once()
    {
        // In single precision 2^24 + 1 + 1 stays 2^24 however often 1 is added.
        float[] weights = [16777216, 1, 1, -16777216];
        fixed (float* data = weights)
        {
            var destination = _lab.Blank(1, 1, 1);
            _device.Multiply(_device.Load(new("w", StoredType.F32, [1, 4], (nint)data)), _lab.Put([1, 1, 1, 1], 1, 1, 4), default, destination);
            Assert.Equal([2], _lab.Read(destination));
        }
    }

    [Fact]
    public unsafe void Stacks_give_each_head_and_each_expert_its_matrix()
    {
        float[] weights = [1, 2, 10, 20, 100, 200];
        fixed (float* data = weights)
        {
            var stack = _device.Load(new("w", StoredType.F32, [3, 1, 2], (nint)data));
            var heads = _lab.Blank(1, 3, 1);
            _device.MultiplyHeads(stack, _lab.Put([1, 1, 1, 2, 3, 1], 1, 3, 2), heads);
            Assert.Equal([3, 50, 500], _lab.Read(heads));

            var chosen = _lab.Blank(4, 1, 1);
            _device.MultiplyExperts(stack, _lab.Put([1, 1, 0, 1], 2, 1, 2), default, _lab.Routed([2, 0, 1, 3], [1, 1, 1, 1], 2), chosen);
            Assert.Equal([300, 3, 20, 0], _lab.Read(chosen));
            _device.MultiplyExperts(
                stack, _lab.Put([1, 1, 0, 1], 2, 1, 2), _lab.Put([1, 2, 4], 3, 1, 1), _lab.Routed([2, 0, 1, 3], [1, 1, 1, 1], 2), chosen);
            Assert.Equal([304, 4, 22, 0], _lab.Read(chosen));
        }
    }

    [Fact]
    public void An_expert_past_the_given_number_gives_its_input_back()
    {
        var sum = _lab.Put([100, 200], 1, 1, 2);
        _device.CombineExperts(_lab.Put([1, 2, 9, 9], 2, 1, 2), _lab.Put([5, 6], 1, 1, 2), 3, _lab.Routed([2, 3], [2, 10], 2), sum);
        Assert.Equal([152, 264], _lab.Read(sum));
    }

    [Theory]
    [InlineData(9f, 9f, 4.5f)]
    [InlineData(-9f, -9f, 0f)]
    public void A_gate_rule_bounds_the_gate_above_and_what_it_gates_on_both_sides(float gate, float up, float expected)
    {
        var (gates, ups) = (_lab.Put([gate], 1, 1, 1), _lab.Put([up], 1, 1, 1));
        _device.Activate(new(Activation.Relu, GateLimit: 3, ResultLimit: 1.5f, UpLimit: 2, UpOffset: 1), gates, ups, gates);
        Assert.Equal(expected, _lab.Read(gates)[0]);
    }

    [Theory]
    [InlineData(NormKind.RootMeanSquare, 0f, new float[] { 3, 4 }, new float[] { 0.8485281f, 1.1313709f })]
    [InlineData(NormKind.Layer, 0f, new float[] { 1, 2, 3 }, new float[] { -1.2247449f, 0, 1.2247449f })]
    [InlineData(NormKind.Euclid, 0f, new float[] { 3, 4 }, new float[] { 0.6f, 0.8f })]
    [InlineData(NormKind.Euclid, 10f, new float[] { 3, 4 }, new float[] { 0.3f, 0.4f })]
    public void Norms_of_small_vectors(NormKind kind, float epsilon, float[] source, float[] expected)
    {
        var vector = _lab.Put(source, 1, 1, source.Length);
        _device.Normalize(new(kind, epsilon), vector, vector);
        foreach (var (wanted, actual) in expected.Zip(_lab.Read(vector))) Assert.Equal(wanted, actual, 1e-6f);
    }

    [Fact]
    public void Weights_of_a_norm_are_shared_or_a_heads_own()
    {
        var source = _lab.Put([2, 2, 2, 2], 1, 2, 2);
        var destination = _lab.Blank(1, 2, 2);
        _device.Normalize(new(NormKind.RootMeanSquare, 0, _lab.Put([1, 2], 1, 1, 2), _lab.Put([0, 0, 5, 6], 1, 1, 4), 1), source, destination);
        Assert.Equal([2, 3, 7, 9], _lab.Read(destination));
    }

    [Theory]
    [InlineData(false, new float[] { -3, -4, 1, 2 })]
    [InlineData(true, new float[] { -2, 1, -4, 3 })]
    public void A_quarter_turn_swaps_a_pair(bool interleaved, float[] expected)
    {
        var vector = _lab.Put([1, 2, 3, 4], 1, 1, 4);
        _device.Rotate(vector, _lab.Put([0, 0, 1, 1], 1, 1, 4), interleaved);
        Assert.Equal(expected, _lab.Read(vector));
    }

    // Phi(1), Phi(-2) and Phi(-6) from tables of the normal distribution.
    [Theory]
    [InlineData(Activation.Gelu, 1, 0.8413447460685429)]
    [InlineData(Activation.Gelu, -2, -2 * 0.0227501319481792)]
    [InlineData(Activation.Gelu, -6, -6 * 9.865876450376946e-10)]
    [InlineData(Activation.Gelu, 3.9, 3.9 * 0.9999519036559824)]
    [InlineData(Activation.GeluTanh, 1, 0.8411919906082768)]
    [InlineData(Activation.Silu, 1, 0.7310585786300049)]
    [InlineData(Activation.Sigmoid, 0, 0.5)]
    [InlineData(Activation.Relu, -3, 0)]
    [InlineData(Activation.ReluSquared, 3, 9)]
    public void Activations_of_known_values(Activation activation, float x, double expected)
    {
        var value = _lab.Put([x], 1, 1, 1);
        _device.Activate(activation, value, default, value);
        Assert.Equal(expected, _lab.Read(value)[0], Math.Abs(expected) * 2e-7 + 1e-30);
    }

    [Theory]
    [InlineData(0f, 0x0000), InlineData(1f, 0x3F80), InlineData(-2f, 0xC000), InlineData(float.PositiveInfinity, 0x7F80)]
    [InlineData(1.00390625f, 0x3F80), InlineData(1.01171875f, 0x3F82), InlineData(1.003907f, 0x3F81), InlineData(float.MaxValue, 0x7F80)]
    public void A_bfloat16_is_the_nearest_with_ties_to_even(float value, int bits) => Assert.Equal(bits, BFloat16.Round(value));

    [Fact]
    public void A_bfloat16_of_nan_is_nan() => Assert.True(float.IsNaN(BFloat16.Widen(BFloat16.Round(BitConverter.Int32BitsToSingle(0x7F800001)))));

    [Fact]
    public void Attention_is_the_formula_over_unpaged_arrays()
    {
        foreach (var type in new[] { CacheType.Float32, CacheType.BFloat16 })
            foreach (var rule in new ScoreRule[] { new(0.4f), new(0.4f, Softcap: 0.7f), new(0.4f, Window: 4), new(0.4f, Chunk: 5), new(0.4f, 2, 6, 4) })
                foreach (var (rotary, inMain, sinks) in new[] { (0, false, false), (6, true, true), (6, false, true), (0, true, false) })
                    Compare(new(4, 2, 8, rotary, inMain ? 7 : 5, inMain), rule, type, sinks);
    }

    void Compare(AttendShape shape, ScoreRule rule, CacheType type, bool sinks)
    {
        const int Length = 17;
        var (batch, pages) = (new RowBatch(Length, 1), new PageBatch(1));
        batch.Add(0, Length);
        pages.Add([3, 0, 5]);
        var (keys, main) = Stream(shape.Groups, shape.MainWidth);
        var (turned, rotary) = shape.RotaryWidth > 0 ? Stream(1, shape.RotaryWidth) : (null, default);
        var (values, value) = shape.ValueInMain ? (keys, default) : Stream(shape.Groups, shape.ValueWidth);
        var (q, qr) = (_lab.Draw(Length, shape.QueryHeads, shape.MainWidth), _lab.Draw(Length, shape.QueryHeads, Math.Max(1, shape.RotaryWidth)));
        float[] sink = [0.3f, -1, 2, 0.1f];
        var destination = _lab.Blank(Length, shape.QueryHeads, shape.ValueWidth);
        _device.Attend(shape, sinks ? rule with { Sinks = _lab.Put(sink, 1, 1, 4) } : rule, q, qr, new(main, rotary, value), batch, pages, destination);

        var (queries, turnedQueries, expected) = (_lab.Read(q), _lab.Read(qr), new List<float>());
        for (var t = 0; t < Length; t++)
            for (var head = 0; head < shape.QueryHeads; head++)
            {
                var group = head / 2;
                double[] weights = [.. Enumerable.Range(0, Length).Select(s => Visible(t, s) ? Math.Exp(Score(t, head, s, group)) : 0)];
                var sum = weights.Sum() + (sinks ? Math.Exp(sink[head]) : 0);
                for (var d = 0; d < shape.ValueWidth; d++)
                    expected.Add((float)(weights.Select((weight, s) => weight * values[s, group, d]).Sum() / sum));
            }
        var actual = _lab.Read(destination);
        for (var i = 0; i < actual.Length; i++) Assert.Equal(expected[i], actual[i], 1e-6f);

        bool Visible(int t, int s) => s <= t && (rule.Window == 0 || s > t - rule.Window) && (rule.Chunk == 0 || s / rule.Chunk == t / rule.Chunk);

        double Score(int t, int head, int s, int group)
        {
            var score = 0.0;
            for (var d = 0; d < shape.MainWidth; d++) score += (double)queries[(t * 4 + head) * shape.MainWidth + d] * keys[s, group, d];
            for (var d = 0; d < shape.RotaryWidth; d++) score += (double)turnedQueries[(t * 4 + head) * shape.RotaryWidth + d] * turned![s, 0, d];
            score *= rule.Scale;
            return rule.Softcap == 0 ? score : rule.Softcap * Math.Tanh(score / rule.Softcap);
        }

        (float[,,] Values, PagedRows Stream) Stream(int groups, int width)
        {
            var stream = new PagedRows(_lab.Allocate(6 * 7 * groups * width * 4), 7 * groups * width * 4, 7, groups, width, type);
            var source = _lab.Draw(Length, groups, width);
            _device.WriteRows(source, stream, batch, pages);
            var (drawn, stored) = (_lab.Read(source), new float[Length, groups, width]);
            for (var i = 0; i < drawn.Length; i++)
                stored[i / (groups * width), i / width % groups, i % width] = type == CacheType.Float32 ? drawn[i] : BFloat16.Widen(BFloat16.Round(drawn[i]));
            return (stored, stream);
        }
    }

    [Fact]
    public void Routing_weights_are_scores_without_bias_divided_and_scaled()
    {
        // Softmax of (ln 1, ln 2, ln 3, ln 4) is 0.1, 0.2, 0.3, 0.4.
        var logits = _lab.Put([0, MathF.Log(2), MathF.Log(3), MathF.Log(4)], 1, 1, 4);
        Check([3, 2], [0.4f, 0.3f], new(4, 2, RouterScore.Softmax));
        Check([3, 2], [4f / 7 * 2, 3f / 7 * 2], new(4, 2, RouterScore.Softmax) { Renormalize = true, Scale = 2 });
        Check([3, 2], [4f / 7, 3f / 7], new(4, 2, RouterScore.SoftmaxOfChosen));
        Check([3, 1], [0.8f, 2f / 3], new(4, 2, RouterScore.Sigmoid), [0, 0.1f, -1, 0]);
        Check([0, 1], [0.1f, 0.2f], new(4, 2, RouterScore.Softmax) { Groups = 2 }, [0.4f, -9, 0.15f, 0]);
        Check([1, 0], [0.2f, 0.1f], new(4, 2, RouterScore.Softmax) { Groups = 2, Rank = GroupRank.TwoBest }, [0.2f, 0.2f, -5, 0.29f]);

        void Check(int[] experts, float[] weights, RoutingRule rule, float[]? bias = null)
        {
            var routed = _lab.BlankRoutes(1, rule.Chosen);
            _device.Route(rule, logits, bias is null ? default : _lab.Put(bias, 1, 1, 4), routed);
            Assert.Equal(experts, _lab.ReadIds(routed));
            foreach (var (expected, actual) in weights.Zip(_lab.Read(routed.Weights))) Assert.Equal(expected, actual, 1e-6f);
        }
    }

    [Fact]
    public void Memory_that_was_not_given_out_cannot_be_given_back()
    {
        var block = _device.Allocate(10);
        _device.Free(block);
        Assert.Throws<ArgumentException>(() => _device.Free(block));
    }

    public void Dispose()
    {
        _lab.Dispose();
        _device.Dispose();
    }
}
