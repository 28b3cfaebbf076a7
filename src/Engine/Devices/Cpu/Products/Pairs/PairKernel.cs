using System.Runtime.InteropServices;

namespace Serving.Devices.Cpu;

/// <summary>
/// The products of up to 12 rows with a panel whose inputs are rounded: machine code where the processor has the instruction,
/// else <see cref="PairLanes"/>, which gives the same bits for whole-number weights.
/// </summary>
readonly unsafe struct PairKernel
{
    static readonly Lazy<PairKernel?>[] Shorts = Every(16), Bytes = Every(8);

    // Code for each number of rows, 0 where there is none; it lives as long as the process.
    readonly nint* _code;

    PairKernel(PairShape shape)
    {
        Shape = shape;
        _code = (nint*)NativeMemory.AllocZeroed(PanelSize.Rows + 1, (nuint)sizeof(nint));
    }

    /// <summary>The kernel of a stored type for inputs rounded as far as allowed; null where they stay as they are.</summary>
    public static PairKernel? Of(StoredType type, ActivationType allowed) => type switch
    {
        StoredType.BF16 => allowed >= ActivationType.BFloat16 ? Shorts[(int)type].Value : null,
        _ => allowed switch { ActivationType.Float32 => null, ActivationType.Int8 => Bytes[(int)type].Value, _ => Shorts[(int)type].Value },
    };

    /// <summary>What inputs are rounded to, and by which instructions, for people and for the label of the numeric path.</summary>
    public static string Describe(ActivationType allowed) => allowed switch
    {
        ActivationType.Float32 => "",
        ActivationType.BFloat16 or ActivationType.Int8 when ExecutableMemory.HasBFloat16 =>
            $", {Integers(allowed)} and bfloat16 inputs by AVX512_VNNI and AVX512_BF16",
        _ => $", {Integers(allowed)} inputs{(ExecutableMemory.HasVnni ? " by AVX512_VNNI" : "")}",
    };

    /// <summary>How weights and inputs meet; nothing for bfloat16.</summary>
    public PairShape Shape { get; }

    /// <summary>True when inputs are rounded to bfloat16, false for integers with scales.</summary>
    public bool IsBFloat16 => Shape == default;

    /// <summary>Bytes of a row's inputs in a block.</summary>
    public int RowBytes => IsBFloat16 ? PanelSize.Block * sizeof(ushort) : Shape.RowBytes;

    /// <summary>
    /// Adds the products of all inputs to totals [rows x 32], or for bfloat16 sets them. Within a block the sums are exact; then they are
    /// scaled and added block by block. In bfloat16 each pair is added in turn.
    /// </summary>
    /// <param name="rows">Rows, 1 to 12.</param>
    /// <param name="x">Inputs, two or four to an integer [block x rows x (16 or 8)].</param>
    /// <param name="scales">Scales of the inputs [block x rows].</param>
    /// <param name="panel">The panel.</param>
    /// <param name="blocks">Its blocks.</param>
    /// <param name="totals">Totals [rows x 32].</param>
    /// <param name="sums">Sums of the inputs [block x rows] where the type has minimums; else, for bytes, integers that each sum begins with.</param>
    public void Run(int rows, int* x, float* scales, byte* panel, int blocks, float* totals, float* sums)
    {
        if (_code[rows] != 0)
            ((delegate* unmanaged[SuppressGCTransition]<int*, float*, byte*, long, float*, float*, void>)_code[rows])(x, scales, panel, blocks, totals, sums);
        else
            PairLanes.Run(Shape, rows, x, scales, panel, blocks, totals, sums);
    }

    static Lazy<PairKernel?>[] Every(int inputBits) =>
        [.. Enum.GetValues<StoredType>().Select(type => new Lazy<PairKernel?>(() => Make(type, inputBits)))];

    static string Integers(ActivationType allowed) => allowed == ActivationType.Int8 ? "int8" : "int16";

    // Without the instruction bfloat16 has no kernel at all: rounding inputs would gain nothing.
    static PairKernel? Make(StoredType type, int inputBits)
    {
        var shape = PairShape.Of(type, inputBits);
        if (type == StoredType.BF16 ? !ExecutableMemory.HasBFloat16 : shape is null) return null;
        var kernel = new PairKernel(shape ?? default);
        for (var rows = 1; rows <= PanelSize.Rows; rows++)
            kernel._code[rows] = kernel.IsBFloat16 ? ExecutableMemory.Place(PairCode.BFloat16(rows))
                : ExecutableMemory.HasVnni ? ExecutableMemory.Place(PairCode.Integers(kernel.Shape, rows))
                : 0;
        return kernel;
    }
}
