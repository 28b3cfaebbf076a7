using System.Buffers.Binary;
using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Tests;

public sealed class StoredTensorTests
{
    [Fact]
    public void A_slice_of_a_matrix_starts_at_its_first_row()
    {
        var tensor = new StoredTensor("w", StoredType.Q8_0, [6, 64], 1000);
        var slice = tensor.Slice(2, 3);
        Assert.Equal([3, 64], slice.Shape);
        Assert.Equal(1000 + 2 * 68, slice.Data);
        Assert.Equal(3 * 68, slice.ByteLength);
    }

    [Fact]
    public void An_entry_of_an_expert_stack_is_a_matrix()
    {
        var stack = new StoredTensor("experts", StoredType.Q4K, [4, 3, 256], 0);
        Assert.Equal(12, stack.Rows);
        Assert.Equal([3, 256], stack.At(2).Shape);
        Assert.Equal(2 * 3 * 144, stack.At(2).Data);
        Assert.Equal([2, 3, 256], stack.Slice(1, 2).Shape);
    }

    [Fact]
    public void A_vector_is_one_row_and_slices_by_value()
    {
        var bias = new StoredTensor("b", StoredType.BF16, [10], 0);
        Assert.Equal((1, 10), (bias.Rows, bias.Columns));
        Assert.Equal((8, 8L), ((int)bias.Slice(4, 4).Data, bias.Slice(4, 4).ByteLength));
    }

    [Theory, InlineData(-1, 1), InlineData(5, 2), InlineData(0, 0), InlineData(int.MaxValue, 2)]
    public void A_range_outside_the_tensor_is_refused(int first, int count) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new StoredTensor("w", StoredType.F32, [6, 2], 0).Slice(first, count));

    [Fact]
    public void A_row_of_broken_blocks_is_refused()
    {
        var error = Assert.Throws<ArgumentException>(() => new StoredTensor("w", StoredType.Q4K, [2, 300], 0));
        Assert.Contains("300 values do not fill whole Q4_K blocks of 256", error.Message);
    }

    [Theory]
    [InlineData(0x00, 0), InlineData(0x01, 0.001953125f), InlineData(0x07, 0.013671875f), InlineData(0x08, 0.015625f), InlineData(0x38, 1)]
    [InlineData(0x39, 1.125f), InlineData(0x7e, 448), InlineData(0xb8, -1), InlineData(0xfe, -448), InlineData(0x7f, float.NaN), InlineData(0xff, float.NaN)]
    public void Eight_bit_floats_have_the_values_of_their_specification(byte bits, float value)
    {
        Span<byte> block = stackalloc byte[132];
        BinaryPrimitives.WriteSingleLittleEndian(block, 0.5f);
        block[4 + 77] = bits;
        var values = new float[128];
        RowWidening.Widen(StoredType.F8, block, values);
        Assert.Equal(value * 0.5f, values[77]);
        Assert.Equal(0, values[76]);
    }

    [Theory, InlineData(127, 1), InlineData(130, 8), InlineData(0, 5.877471754111438e-39f), InlineData(254, 1.7014118346046923e38f), InlineData(255, float.NaN)]
    public void Four_bit_floats_share_a_power_of_two(byte exponent, float scale)
    {
        Span<byte> block = [exponent, 0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0];
        var values = new float[32];
        RowWidening.Widen(StoredType.MxFp4, block, values);
        Assert.Equal([0f * scale, scale, 2 * scale, 4 * scale, -0f * scale, -scale, -2 * scale, -4 * scale], values[..8]);
        Assert.Equal([0.5f * scale, 1.5f * scale, 3 * scale, 6 * scale, -0.5f * scale, -1.5f * scale, -3 * scale, -6 * scale], values[16..24]);
    }

    [Fact]
    public void Joined_memory_comes_back_when_it_is_read_again()
    {
        var joins = 0;
        var joined = new JoinedMemory(() =>
        {
            joins++;
            var bytes = GC.AllocateArray<byte>(32, pinned: true);
            for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)i;
            return bytes;
        });
        var tensor = new StoredTensor("w", StoredType.BF16, [4, 4], joined);
        Assert.Equal(0, joins);
        Assert.Equal((8, 24), (tensor.Row(1)[0], tensor.Slice(2, 2).At(1).Row(0)[0]));
        StoredPages.Drop(tensor.Slice(2, 2));
        Assert.Equal((16, 2), (tensor.Row(2)[0], joins));
    }

    [Fact]
    public void Five_bit_values_take_their_fifth_bit_from_the_word_after_the_scale()
    {
        Span<byte> block = stackalloc byte[22];
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)0.5f);
        BinaryPrimitives.WriteUInt32LittleEndian(block[2..], 1u << 3 | 1u << 19);
        block[6 + 3] = 0x2F;
        var values = new float[32];
        RowWidening.Widen(StoredType.Q5_0, block, values);
        Assert.Equal((31 - 16) * 0.5f, values[3]);
        Assert.Equal((18 - 16) * 0.5f, values[19]);
        Assert.Equal(-8, values[0]);
    }
}
