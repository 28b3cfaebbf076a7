using System.Runtime.InteropServices;

namespace Serving.Devices.Cpu;

/// <summary>
/// The products of up to 12 rows with a panel whose inputs are taken in pairs: machine code where the processor has the instruction,
/// else <see cref="PairLanes"/>, which gives the same bits for whole-number weights.
/// </summary>
readonly unsafe struct PairKernel
{
    static readonly Lazy<PairKernel?>[] All = [.. Enum.GetValues<StoredType>().Select(type => new Lazy<PairKernel?>(() => Make(type)))];

    readonly PairShape _shape;

    // Code for each number of rows, 0 where there is none; it lives as long as the process.
    readonly nint* _code;

    PairKernel(PairShape shape)
    {
        _shape = shape;
        _code = (nint*)NativeMemory.AllocZeroed(PanelSize.Rows + 1, (nuint)sizeof(nint));
    }

    /// <summary>The kernel of a stored type for inputs rounded as far as allowed; null where they stay as they are.</summary>
    public static PairKernel? Of(StoredType type, ActivationType allowed) => type switch
    {
        StoredType.BF16 => allowed >= ActivationType.BFloat16 ? All[(int)type].Value : null,
        _ => allowed >= ActivationType.Int16 ? All[(int)type].Value : null,
    };

    /// <summary>What inputs are rounded to, and by which instructions, for people and for the label of the numeric path.</summary>
    public static string Describe(ActivationType allowed) => allowed switch
    {
        ActivationType.Float32 => "",
        ActivationType.BFloat16 when ExecutableMemory.HasBFloat16 => ", int16 and bfloat16 inputs by AVX512_VNNI and AVX512_BF16",
        _ => $", int16 inputs{(ExecutableMemory.HasVnni ? " by AVX512_VNNI" : "")}",
    };

    /// <summary>True when inputs are rounded to bfloat16, false for 16-bit integers with scales.</summary>
    public bool IsBFloat16 => _shape == default;

    /// <summary>Values from one member of a pair to the other.</summary>
    public int Stride => IsBFloat16 ? 1 : _shape.PairsOfWord;

    /// <summary>True when the later input is the low half of a pair.</summary>
    public bool IsTurned => _shape.Bits == 8;

    /// <summary>
    /// Adds the products of all inputs to totals [rows x 32], or for bfloat16 sets them. Within a block the sums are exact; then they are
    /// scaled and added block by block. In bfloat16 each pair is added in turn.
    /// </summary>
    /// <param name="rows">Rows, 1 to 12.</param>
    /// <param name="x">Pairs of inputs [block x rows x 16].</param>
    /// <param name="scales">Scales of the inputs [block x rows].</param>
    /// <param name="panel">The panel.</param>
    /// <param name="blocks">Its blocks.</param>
    /// <param name="totals">Totals [rows x 32].</param>
    /// <param name="sums">Sums of the inputs [block x rows]; read only where the type has minimums.</param>
    public void Run(int rows, int* x, float* scales, byte* panel, int blocks, float* totals, float* sums)
    {
        if (_code[rows] != 0)
            ((delegate* unmanaged[SuppressGCTransition]<int*, float*, byte*, long, float*, float*, void>)_code[rows])(x, scales, panel, blocks, totals, sums);
        else
            PairLanes.Run(_shape, rows, x, scales, panel, blocks, totals, sums);
    }

    // Without the instruction bfloat16 has no kernel at all: rounding inputs would gain nothing.
    static PairKernel? Make(StoredType type)
    {
        if (type == StoredType.BF16 && !ExecutableMemory.HasBFloat16 || type != StoredType.BF16 && PairShape.Of(type) is null) return null;
        var kernel = new PairKernel(PairShape.Of(type) ?? default);
        for (var rows = 1; rows <= PanelSize.Rows; rows++)
            kernel._code[rows] = kernel.IsBFloat16 ? ExecutableMemory.Place(PairCode.BFloat16(rows))
                : ExecutableMemory.HasVnni ? ExecutableMemory.Place(PairCode.Integers(kernel._shape, rows))
                : 0;
        return kernel;
    }
}
