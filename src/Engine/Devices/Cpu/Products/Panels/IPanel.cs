using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>
/// A stored type as the product kernel reads it. 32 outputs make a panel, its lanes; inputs follow each other in blocks of 32, so that a
/// panel is read once, from front to back. A value is (what <see cref="Next"/> gives) * scale + minimum, where the type has them.
/// An instance is the register state of a walk through one group of inputs.
/// </summary>
unsafe interface IPanel
{
    /// <summary>Inputs that one <see cref="Load"/> brings.</summary>
    static abstract int PerWord { get; }

    /// <summary>Groups of a block that have a scale of their own.</summary>
    static virtual int Groups => 1;

    /// <summary>True when values have a scale.</summary>
    static virtual bool HasScale => false;

    /// <summary>True when values have a minimum.</summary>
    static virtual bool HasMinimum => false;

    /// <summary>Bytes of a panel of as many blocks.</summary>
    static abstract long BytesOf(int blocks);

    /// <summary>The words of a block.</summary>
    static abstract byte* At(byte* panel, int block);

    /// <summary>Scales of the 32 outputs in one group.</summary>
    static virtual void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second) =>
        first = second = Vector512<float>.One;

    /// <summary>Minimums of the 32 outputs in one group.</summary>
    static virtual void Minimum(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second) =>
        first = second = Vector512<float>.Zero;

    /// <summary>Puts a stored row into a lane of a zeroed panel.</summary>
    static abstract void Pack(byte* row, int inputs, byte* panel, int lane);

    /// <summary>Begins a group of a block at <paramref name="words"/>.</summary>
    void Open(byte* words, int group);

    /// <summary>Brings the next inputs into registers.</summary>
    void Load(byte* words, int word);

    /// <summary>The values of the next input for both halves of the lanes, before scale and minimum.</summary>
    void Next(out Vector512<float> first, out Vector512<float> second);
}

/// <summary>Sizes that all panels share.</summary>
static class PanelSize
{
    /// <summary>Outputs of a panel.</summary>
    public const int Outputs = 32;

    /// <summary>Inputs of a block.</summary>
    public const int Block = 32;

    /// <summary>Rows that the kernel's registers hold.</summary>
    public const int Rows = 12;

    /// <summary>Bytes ahead of the words in hand that are asked for: about the time of a miss at the rate of decoding.</summary>
    public const int Ahead = 3072;

    /// <summary>Blocks that hold as many inputs.</summary>
    public static int Blocks(int inputs) => (inputs + Block - 1) / Block;
}
