namespace Serving.Devices.Cpu;

/// <summary>
/// How a panel of whole-number weights is read two inputs at a time, as pairs of 16-bit integers in the 32 bits of a lane. A block is
/// <see cref="Words"/> words of 32 lanes, then half-precision scales, then minimums where there are any.
/// </summary>
/// <param name="Bits">Bits of a stored value, 4 or 8; eight-bit values are signed.</param>
/// <param name="Offset">What is taken off each value.</param>
/// <param name="HasMinimum">Whether each block has a minimum.</param>
readonly record struct PairShape(int Bits, int Offset, bool HasMinimum)
{
    /// <summary>The shape of a stored type; null where its weights are not read in pairs.</summary>
    public static PairShape? Of(StoredType type) => type switch
    {
        StoredType.Q4_0 => new(4, 8, false),
        StoredType.Q4_1 => new(4, 0, true),
        StoredType.Q8_0 => new(8, 0, false),
        _ => null,
    };

    /// <summary>Words of a block.</summary>
    public int Words => Bits;

    /// <summary>Pairs of a word.</summary>
    public int PairsOfWord => 16 / Bits;

    /// <summary>Where the scales of a block lie.</summary>
    public int ScaleAt => Words * 128;

    /// <summary>Bytes of a block.</summary>
    public int BlockBytes => ScaleAt + (HasMinimum ? 128 : 64);
}
