using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>AttendArguments of attend.cuh.</summary>
[StructLayout(LayoutKind.Sequential)]
struct AttendArguments
{
    public Tensor Main, Rotary, Destination, Sinks, Angles;
    public StreamArguments MainRows, RotaryRows, ValueRows, SharedRows, ClassRows;
    public nint Pages, Units, Items, States;
    public int Own;
    public int MainWidth, RotaryWidth, ValueWidth, SharedWidth, ValueInMain, Interleaved, Classes;
    public TensorTerms Terms;
    public int Widens;
    public int Window, Chunk;
    public float Scale, Softcap;

    /// <summary>What does not depend on the work.</summary>
    public AttendArguments(AttendShape shape, ScoreRule rule, Tensor main, Tensor rotary, Tensor destination)
    {
        (Main, Rotary, Destination, Sinks, Angles) = (main, rotary, destination, rule.Sinks, rule.Turn.Angles);
        (MainWidth, RotaryWidth, ValueWidth, SharedWidth) = (shape.MainWidth, shape.RotaryWidth, shape.ValueWidth, shape.SharedValueWidth);
        (ValueInMain, Interleaved, Classes) = (shape.ValueInMain ? 1 : 0, rule.Turn.Interleaved ? 1 : 0, shape.Classes);
        (Window, Chunk, Scale, Softcap) = (rule.Window, rule.Chunk, rule.Scale, rule.Softcap);
    }
}

/// <summary>MergeArguments of attend.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
struct MergeArguments
{
    public Tensor Destination, Sinks;
    public nint Units, Merges, States;
    public int Queries, OutputWidth;
}
