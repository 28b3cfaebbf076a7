using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>The kernels of attention and what they are told (attend.cuh).</summary>
sealed class AttendKernels
{
    const int Threads = 128;
    const int TileRows = 64, Columns = 64;
    // Beside what is asked for at a launch, a kernel has a little shared memory of its own.
    const int OwnSharedBytes = 2 << 10;

    static readonly int[] Sizes = [4, 8, 16];

    readonly CudaContext _context;
    readonly (int Queries, CudaFunction Attend)[] _sizes;
    readonly CudaFunction _merge;
    readonly int _sharedBytes;

    /// <summary>The kernels of a device.</summary>
    public AttendKernels(CudaContext context)
    {
        _context = context;
        _sharedBytes = context.SharedBytes - OwnSharedBytes;
        var module = context.Module("attend.cu");
        _sizes = [.. Sizes.Select(queries => (queries, module.Function($"attend_{queries}", _sharedBytes)))];
        _merge = module.Function("attend_merge");
    }

    /// <summary>
    /// How many queries a unit has: all that read the same rows, where a kernel has room for as many. A query's result does not depend on it.
    /// </summary>
    /// <param name="shape">The facts.</param>
    /// <param name="rows">Rows of the longest run.</param>
    public int QueriesOf(AttendShape shape, int rows)
    {
        var wanted = (long)rows * (shape.QueryHeads / shape.Groups);
        var chosen = 0;
        foreach (var (queries, _) in _sizes)
        {
            if (SharedBytes(queries, shape.OutputWidth) > _sharedBytes) break;
            chosen = queries;
            if (queries >= wanted) break;
        }
        return chosen > 0 ? chosen : throw new ArgumentException(
            $"Cannot attend: outputs of {shape.OutputWidth} values take {SharedBytes(_sizes[0].Queries, shape.OutputWidth):N0} bytes of shared memory, "
            + $"and the device has {_sharedBytes:N0}.", nameof(shape));
    }

    /// <summary>Floats of a slot.</summary>
    public static long SlotFloats(int queries, int outputWidth) => queries * (outputWidth + 2L);

    /// <summary>Computes the items.</summary>
    public void Attend(int queries, int blocks, in AttendArguments arguments)
    {
        var kernel = _sizes.First(size => size.Queries == queries).Attend;
        _context.Stream.Launch(kernel, new(blocks), Threads, arguments, SharedBytes(queries, arguments.ValueWidth + arguments.SharedWidth));
    }

    /// <summary>Merges the states of so many units.</summary>
    public void Merge(int queries, int merges, in MergeArguments arguments) => _context.Stream.Launch(_merge, new(merges, queries), Threads, arguments);

    static int SharedBytes(int queries, int outputWidth) =>
        checked((TileRows * (Columns + 1) + queries * (Columns + TileRows + outputWidth)) * sizeof(float));
}

/// <summary>AttendArguments of attend.cuh.</summary>
[StructLayout(LayoutKind.Sequential)]
struct AttendArguments
{
    public Tensor Main, Rotary, Destination, Sinks, Angles;
    public StreamArguments MainRows, RotaryRows, ValueRows, SharedRows, ClassRows;
    public nint Pages, Units, Items, States;
    public int Count, Own;
    public int MainWidth, RotaryWidth, ValueWidth, SharedWidth, Interleaved, Classes;
    public int Window, Chunk;
    public float Scale, Softcap;

    /// <summary>What does not depend on the work.</summary>
    public AttendArguments(AttendShape shape, ScoreRule rule, Tensor main, Tensor rotary, Tensor destination)
    {
        (Main, Rotary, Destination, Sinks, Angles) = (main, rotary, destination, rule.Sinks, rule.Turn.Angles);
        (MainWidth, RotaryWidth, ValueWidth, SharedWidth) = (shape.MainWidth, shape.RotaryWidth, shape.ValueWidth, shape.SharedValueWidth);
        (Interleaved, Classes) = (rule.Turn.Interleaved ? 1 : 0, shape.Classes);
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
