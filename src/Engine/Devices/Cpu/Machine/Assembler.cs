using System.Buffers.Binary;

namespace Serving.Devices.Cpu;

/// <summary>Address registers that a kernel may use, by their number; the first six hold the arguments of the System V convention.</summary>
enum Register
{
    Rdi = 7,
    Rsi = 6,
    Rdx = 2,
    Rcx = 1,
    R8 = 8,
    R9 = 9,
}

/// <summary>
/// Writes the few x86-64 instructions that product kernels need and .NET has no intrinsics for, all on 512-bit registers (EVEX encoding:
/// Intel's Software Developer's Manual, volume 2, section 2.7). Vector registers go by their number, 0 to 31.
/// </summary>
sealed class Assembler
{
    const int Map0F = 1, Map0F38 = 2, NoPrefix = 0, Prefix66 = 1, PrefixF3 = 2;

    readonly List<byte> _code = [];

    /// <summary>What was written.</summary>
    public ReadOnlySpan<byte> Code => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_code);

    /// <summary>The place that <see cref="LoopTo"/> may return to.</summary>
    public int Here => _code.Count;

    public void Load(int to, Register at, int offset) => Memory(Map0F, NoPrefix, 0x10, to, 0, at, offset);

    public void Store(int from, Register at, int offset) => Memory(Map0F, NoPrefix, 0x11, from, 0, at, offset);

    /// <summary>Sixteen half-precision values, widened.</summary>
    public void LoadHalves(int to, Register at, int offset) => Memory(Map0F38, Prefix66, 0x13, to, 0, at, offset);

    /// <summary>One 32-bit value in all lanes.</summary>
    public void Broadcast(int to, Register at, int offset) => Memory(Map0F38, Prefix66, 0x58, to, 0, at, offset);

    /// <summary>A constant in all lanes; spoils eax.</summary>
    public void Constant(int to, uint value)
    {
        _code.Add(0xb8);
        Number(unchecked((int)value));
        Registers(Map0F38, Prefix66, 0x7c, to, 0, 0);
    }

    public void Clear(int to) => ExclusiveOr(to, to, to);

    public void ExclusiveOr(int to, int a, int b) => Registers(Map0F, Prefix66, 0xef, to, a, b);

    public void And(int to, int a, int b) => Registers(Map0F, Prefix66, 0xdb, to, a, b);

    public void AddIntegers(int to, int a, int b) => Registers(Map0F, Prefix66, 0xfe, to, a, b);

    public void AddFloats(int to, int a, int b) => Registers(Map0F, NoPrefix, 0x58, to, a, b);

    public void SubtractShorts(int to, int a, int b) => Registers(Map0F, Prefix66, 0xf9, to, a, b);

    /// <summary>32-bit lanes to the right, zeros from above.</summary>
    public void ShiftRight(int to, int from, int bits) => Shift(0x72, 2, to, from, bits);

    /// <summary>16-bit lanes to the right, the sign from above.</summary>
    public void ShiftShortsRight(int to, int from, int bits) => Shift(0x71, 4, to, from, bits);

    /// <summary>16-bit lanes to the left.</summary>
    public void ShiftShortsLeft(int to, int from, int bits) => Shift(0x71, 6, to, from, bits);

    /// <summary>to += the products in a lane of two signed 16-bit integers, or of four bytes, those of a without a sign (AVX512_VNNI).</summary>
    public void MultiplyIntegers(int to, int a, int b, bool bytes) => Registers(Map0F38, Prefix66, bytes ? (byte)0x50 : (byte)0x52, to, a, b);

    /// <summary>to += a.low * b.low + a.high * b.high, pairs of bfloat16 (AVX512_BF16).</summary>
    public void MultiplyBFloat16(int to, int a, int b) => Registers(Map0F38, PrefixF3, 0x52, to, a, b);

    public void ToFloats(int to, int from) => Registers(Map0F, NoPrefix, 0x5b, to, 0, from);

    /// <summary>to = a * the value in memory.</summary>
    public void MultiplyBy(int to, int a, Register at, int offset) => Memory(Map0F, NoPrefix, 0x59, to, a, at, offset, broadcast: true);

    /// <summary>to += a * b, rounded once.</summary>
    public void FusedMultiplyAdd(int to, int a, int b) => Registers(Map0F38, Prefix66, 0xb8, to, a, b);

    /// <summary>to += a * the value in memory, rounded once.</summary>
    public void FusedMultiplyAdd(int to, int a, Register at, int offset) => Memory(Map0F38, Prefix66, 0xb8, to, a, at, offset, broadcast: true);

    /// <summary>Asks the second cache for a line.</summary>
    public void Prefetch(Register at, int offset)
    {
        if ((int)at > 7) _code.Add(0x41);
        _code.AddRange([0x0f, 0x18]);
        Address(2, at, offset);
    }

    public void Advance(Register register, int bytes)
    {
        _code.AddRange([(byte)(0x48 | (int)register >> 3), 0x81, (byte)(0xc0 | (int)register & 7)]);
        Number(bytes);
    }

    /// <summary>Counts rcx down, and jumps back while it is not zero.</summary>
    public void LoopTo(int place)
    {
        _code.AddRange([0x48, 0xff, 0xc9, 0x0f, 0x85]);
        Number(place - (_code.Count + 4));
    }

    /// <summary>Ends the kernel; the upper lanes are cleared, so that the caller's narrow instructions stay fast.</summary>
    public void Return() => _code.AddRange([0xc5, 0xf8, 0x77, 0xc3]);

    void Shift(byte code, int extension, int to, int from, int bits)
    {
        Registers(Map0F, Prefix66, code, extension, to, from);
        _code.Add((byte)bits);
    }

    void Registers(int map, int prefix, byte code, int register, int second, int third)
    {
        Evex(map, prefix, register, second, (third >> 3 & 1) == 0, (third >> 4 & 1) == 0, false);
        _code.Add(code);
        _code.Add((byte)(0xc0 | (register & 7) << 3 | third & 7));
    }

    void Memory(int map, int prefix, byte code, int register, int second, Register at, int offset, bool broadcast = false)
    {
        Evex(map, prefix, register, second, (int)at < 8, true, broadcast);
        _code.Add(code);
        Address(register & 7, at, offset);
    }

    // Register numbers above 7 lie inverted in the prefix; a 512-bit length, no mask.
    void Evex(int map, int prefix, int register, int second, bool lowBase, bool lowIndex, bool broadcast)
    {
        _code.Add(0x62);
        _code.Add((byte)(((register & 8) == 0 ? 0x80 : 0) | (lowIndex ? 0x40 : 0) | (lowBase ? 0x20 : 0) | ((register & 16) == 0 ? 0x10 : 0) | map));
        _code.Add((byte)((~second & 15) << 3 | 4 | prefix));
        _code.Add((byte)(0x40 | (broadcast ? 0x10 : 0) | ((second & 16) == 0 ? 8 : 0)));
    }

    // Always four bytes of offset: the scaled single byte of EVEX is not worth its rules.
    void Address(int register, Register at, int offset)
    {
        _code.Add((byte)(0x80 | register << 3 | (int)at & 7));
        Number(offset);
    }

    void Number(int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        foreach (var part in bytes) _code.Add(part);
    }
}
