using Serving.Devices;

namespace Serving.Tests;

/// <summary>How far a stored value may be from what was written, by type; the bounds hold for every group of neighbouring values (of four bits, up to 458,000).</summary>
public sealed class RowCodingTests
{
    // The rounding of the value, and that of the scale it is divided by: half of the last of 8 bits (bfloat16), of 11 (float16).
    const double BFloat16Scale = 1 + 1.0 / 256, HalfScale = 1 + 1.0 / 2048;

    /// <summary>The error that a type allows for a value in a group whose greatest size is given.</summary>
    static double Bound(CacheType type, double value, double greatest) => type switch
    {
        CacheType.Float32 => 0,
        CacheType.BFloat16 => Math.Abs(value) / 256,
        CacheType.Fp8 => Math.Max(Math.Abs(value) / 16, greatest / 448 * BFloat16Scale / 1024),
        CacheType.Int8 => greatest / 127 / 2 * BFloat16Scale,
        _ => greatest / 7 / 2 * HalfScale,
    };

    public static TheoryData<CacheType> Types => [.. Enum.GetValues<CacheType>()];

    [Theory, MemberData(nameof(Types))]
    public void A_value_comes_back_within_the_bound_of_its_type(CacheType type)
    {
        RowFormat format = type;
        var worst = 0.0;
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var width = random.Next(1, 200);
            float[] values = [.. Enumerable.Range(0, width).Select(_ => (float)(Math.Pow(random.NextDouble(), 3) * (random.Next(2) * 2 - 1) * Math.Pow(10, seed % 8 - 2)))];
            var stored = new byte[format.VectorBytes(width)];
            RowCoding.Encode(format, values, stored);
            for (var i = 0; i < width; i++)
            {
                var group = format.GroupWidth(width);
                var greatest = values.Skip(i / group * group).Take(group).Max(Math.Abs);
                var bound = Bound(type, values[i], greatest);
                var error = Math.Abs((double)values[i] - RowCoding.Decode(format, stored, width, i));
                Assert.True(error <= bound * 1.000001, $"Seed {seed}: {values[i]} of a group up to {greatest} came back off by {error}, allowed {bound}.");
                worst = Math.Max(worst, bound == 0 ? 0 : error / bound);
            }
        }

        Assert.InRange(worst, type == CacheType.Float32 ? 0 : 0.8, 1.000001); // a bound that nothing comes near says nothing
    }

    [Theory]
    [InlineData(CacheType.Float32, 7, 28), InlineData(CacheType.BFloat16, 7, 14), InlineData(CacheType.Fp8, 64, 66), InlineData(CacheType.Fp8, 7, 10)]
    [InlineData(CacheType.Int8, 64, 68), InlineData(CacheType.Int4, 64, 36), InlineData(CacheType.Int4, 512, 288), InlineData(CacheType.Int4, 9, 10)]
    public void A_vector_takes_its_values_filled_up_to_four_bytes_and_two_bytes_a_scale(CacheType type, int width, int bytes) =>
        Assert.Equal(bytes, ((RowFormat)type).VectorBytes(width));

    [Fact]
    public void Every_code_of_eight_bits_is_its_own_nearest_and_ties_go_to_the_even_code()
    {
        Assert.Equal([0f, 1f / 512, 1f / 64, 1f, 1.125f, 448f], new byte[] { 0, 1, 8, 0x38, 0x39, 0x7e }.Select(Float8.Widen));
        for (var code = 0; code < 0x7f; code++)
        {
            var value = Float8.Widen((byte)code);
            Assert.Equal((code, code | 0x80), (Float8.Round(value), Float8.Round(-value)));
            if (code == 0x7e) continue;
            var next = Float8.Widen((byte)(code + 1));
            var middle = (value + next) / 2;
            Assert.Equal(code + (code & 1), Float8.Round(middle));
            Assert.Equal((code, code + 1), (Float8.Round(MathF.BitDecrement(middle)), Float8.Round(MathF.BitIncrement(middle))));
        }
        Assert.Equal((0x7e, 0xfe), (Float8.Round(1e9f), Float8.Round(float.NegativeInfinity)));
    }

    [Theory, MemberData(nameof(Types))]
    public void A_group_with_something_infinite_is_no_numbers_and_its_neighbours_are_kept(CacheType type)
    {
        if (!((RowFormat)type).HasScales) return;
        var format = new RowFormat(type, 32);
        foreach (var bad in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            float[] values = [.. Enumerable.Range(0, 64).Select(i => i == 3 ? bad : 7f)];
            var stored = new byte[format.VectorBytes(64)];
            RowCoding.Encode(format, values, stored);
            Assert.True(Enumerable.Range(0, 32).All(i => float.IsNaN(RowCoding.Decode(format, stored, 64, i))));
            Assert.Equal(7f, RowCoding.Decode(format, stored, 64, 40), 0.05f);
        }
    }
}
