using System.Runtime.InteropServices;
using Serving.Devices;
using Serving.Devices.Cpu;

namespace Serving.Tests;

public sealed unsafe class PairKernelTests
{
    public static MatrixTheoryData<StoredType, int> Kernels => new([StoredType.Q4_0, StoredType.Q4_1, StoredType.Q8_0], [16, 8]);

    [Theory, MemberData(nameof(Kernels))]
    public void Machine_code_gives_the_bits_of_the_portable_kernel(StoredType type, int bits)
    {
        Assert.SkipUnless(ExecutableMemory.HasVnni, "The processor has no AVX512_VNNI, or the system lets no code be placed.");
        const int Blocks = 5;
        var (shape, random) = (PairShape.Of(type, bits)!.Value, new Random(7));
        for (var rows = 1; rows <= PanelSize.Rows; rows++)
        {
            var (panel, x) = (new byte[Blocks * shape.BlockBytes], new int[Blocks * rows * shape.RowBytes / 4]);
            random.NextBytes(panel);
            random.NextBytes(MemoryMarshal.AsBytes(x.AsSpan()));
            for (var block = 0; block < Blocks; block++)
                for (var i = block * shape.BlockBytes + shape.ScaleAt; i < (block + 1) * shape.BlockBytes; i += 2)
                    BitConverter.TryWriteBytes(panel.AsSpan(i), (Half)(random.NextSingle() - 0.5f));
            var (scales, sums) = (Draw(Blocks * rows), Draw(Blocks * rows));
            // Bytes of weights are read without their sign: what that is too much is known beforehand.
            for (var i = 0; bits == 8 && !shape.HasMinimum && i < sums.Length; i++)
                sums[i] = BitConverter.Int32BitsToSingle(-shape.ByteOffset * MemoryMarshal.Cast<int, sbyte>(x).Slice(i * 32, 32).ToArray().Sum(value => value));
            var (machine, portable) = (new float[rows * 32], new float[rows * 32]);
            fixed (byte* panelAt = panel)
            fixed (int* xAt = x)
            fixed (float* scalesAt = scales, sumsAt = sums, machineAt = machine, portableAt = portable)
            {
                PairKernel.Of(type, bits == 8 ? ActivationType.Int8 : ActivationType.Int16)!.Value.Run(rows, xAt, scalesAt, panelAt, Blocks, machineAt, sumsAt);
                PairLanes.Run(shape, rows, xAt, scalesAt, panelAt, Blocks, portableAt, sumsAt);
            }
            Assert.Equal(portable.Select(BitConverter.SingleToInt32Bits), machine.Select(BitConverter.SingleToInt32Bits));
            Assert.Contains(machine, value => value != 0);
        }

        float[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
    }

    [Fact]
    public void Weights_keep_float32_inputs_unless_rounding_is_allowed()
    {
        foreach (var type in Enum.GetValues<StoredType>()) Assert.Null(PairKernel.Of(type, ActivationType.Float32));
        Assert.NotNull(PairKernel.Of(StoredType.Q4_1, ActivationType.Int16));
        Assert.Equal(8, PairKernel.Of(StoredType.Q4_1, ActivationType.Int8)!.Value.Shape.InputBits);
        Assert.Null(PairKernel.Of(StoredType.BF16, ActivationType.Int16));
        Assert.Null(PairKernel.Of(StoredType.F32, ActivationType.BFloat16));
    }
}
