namespace Serving.Devices.Cpu;

/// <summary>
/// How a panel of whole-number weights meets rounded inputs: the 32 bits of a lane hold two 16-bit inputs or four of 8 bits, and as many
/// weights are brought beside them. A block is <see cref="Words"/> words of 32 lanes, then half-precision scales, then minimums where
/// there are any.
/// </summary>
/// <param name="Bits">Bits of a stored value, 4 or 8; eight-bit values are signed.</param>
/// <param name="Offset">What is taken off each value.</param>
/// <param name="HasMinimum">Whether each block has a minimum.</param>
/// <param name="InputBits">Bits of a rounded input, 16 or 8.</param>
readonly record struct PairShape(int Bits, int Offset, bool HasMinimum, int InputBits)
{
    /// <summary>The shape of a stored type; null where its weights are no whole numbers.</summary>
    public static PairShape? Of(StoredType type, int inputBits) => type switch
    {
        StoredType.Q4_0 => new(4, 8, false, inputBits),
        StoredType.Q4_1 => new(4, 0, true, inputBits),
        StoredType.Q8_0 => new(8, 0, false, inputBits),
        _ => null,
    };

    /// <summary>Words of a block.</summary>
    public int Words => Bits;

    /// <summary>Groups of inputs, each filling a lane, that a word is multiplied with.</summary>
    public int GroupsOfWord => InputBits / Bits;

    /// <summary>Bytes of a row's inputs in a block.</summary>
    public int RowBytes => PanelSize.Block * InputBits / 8;

    /// <summary>What the product takes off each weight that its instruction reads without a sign, as bytes are.</summary>
    public int ByteOffset => Bits == 8 ? 128 : Offset;

    /// <summary>Where the scales of a block lie.</summary>
    public int ScaleAt => Words * 128;

    /// <summary>Bytes of a block.</summary>
    public int BlockBytes => ScaleAt + (HasMinimum ? 128 : 64);
}
