using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices.Cpu;

/// <summary>Single precision: 32 values an input.</summary>
unsafe struct F32Panel : IPanel
{
    Vector512<float> _first, _second;

    public static int PerWord => 1;

    public static long BytesOf(int blocks) => blocks * 4096L;

    public static byte* At(byte* panel, int block) => panel + block * 4096L;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var i = 0; i < inputs; i++) ((float*)panel)[i * 32L + lane] = ((float*)row)[i];
    }

    public readonly void Open(byte* words, int group) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word)
    {
        var at = words + word * 128;
        if (Sse.IsSupported) Prefetch.Two(at);
        (_first, _second) = (Vector512.Load((float*)at), Vector512.Load((float*)at + 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Next(out Vector512<float> first, out Vector512<float> second) => (first, second) = (_first, _second);
}

/// <summary>The upper halves of singles: two inputs in a word, the earlier one below.</summary>
unsafe struct BF16Panel : IPanel
{
    Vector512<uint> _first, _second;

    public static int PerWord => 2;

    public static long BytesOf(int blocks) => blocks * 2048L;

    public static byte* At(byte* panel, int block) => panel + block * 2048L;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var i = 0; i < inputs; i++) ((ushort*)panel)[(i / 2 * 32L + lane) * 2 + i % 2] = ((ushort*)row)[i];
    }

    public readonly void Open(byte* words, int group) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word)
    {
        var at = words + word * 128;
        if (Sse.IsSupported) Prefetch.Two(at);
        (_first, _second) = (Vector512.Load((uint*)at), Vector512.Load((uint*)at + 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next(out Vector512<float> first, out Vector512<float> second)
    {
        (first, second) = (Vector512.ShiftLeft(_first, 16).AsSingle(), Vector512.ShiftLeft(_second, 16).AsSingle());
        (_first, _second) = (Vector512.ShiftRightLogical(_first, 16), Vector512.ShiftRightLogical(_second, 16));
    }
}

/// <summary>Half precision: two inputs in a word, the earlier one below.</summary>
unsafe struct F16Panel : IPanel
{
    Vector512<uint> _first, _second;

    public static int PerWord => 2;

    public static long BytesOf(int blocks) => BF16Panel.BytesOf(blocks);

    public static byte* At(byte* panel, int block) => BF16Panel.At(panel, block);

    public static void Pack(byte* row, int inputs, byte* panel, int lane) => BF16Panel.Pack(row, inputs, panel, lane);

    public readonly void Open(byte* words, int group) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word)
    {
        var at = words + word * 128;
        if (Sse.IsSupported) Prefetch.Two(at);
        (_first, _second) = (Vector512.Load((uint*)at), Vector512.Load((uint*)at + 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next(out Vector512<float> first, out Vector512<float> second)
    {
        (first, second) = (Lanes.FromHalf(SignExtend(_first)), Lanes.FromHalf(SignExtend(_second)));
        (_first, _second) = (Vector512.ShiftRightLogical(_first, 16), Vector512.ShiftRightLogical(_second, 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<int> SignExtend(Vector512<uint> words) => Vector512.ShiftRightArithmetic(Vector512.ShiftLeft(words, 16).AsInt32(), 16);
}

/// <summary>Asks for memory that a walk will reach soon.</summary>
static unsafe class Prefetch
{
    /// <summary>Asks for the two cache lines that lie as far ahead as a miss takes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Two(byte* at)
    {
        Sse.Prefetch1(at + PanelSize.Ahead);
        Sse.Prefetch1(at + PanelSize.Ahead + 64);
    }
}
