namespace Serving.Devices.Cuda;

/// <summary>A kernel of attention: how many queries a unit may have and what a block of it takes.</summary>
/// <param name="Function">The kernel.</param>
/// <param name="Queries">Most queries of a unit.</param>
/// <param name="Threads">Threads of a block.</param>
/// <param name="SharedBytes">Shared memory of a block.</param>
readonly record struct AttendKernel(CudaFunction Function, int Queries, int Threads, int SharedBytes);

/// <summary>
/// The kernels of attention, and which of them a shape takes. Whether tensor cores are used is a matter of facts that no batch changes; of
/// how many queries a unit has, results do not depend.
/// </summary>
sealed class AttendKernels
{
    const int GeneralThreads = 128, TensorThreads = 256;
    // Beside what is asked for at a launch, a kernel has a little shared memory of its own.
    const int OwnSharedBytes = 2 << 10;
    static readonly int[] GeneralQueries = [4, 8, 16], TensorQueries = [16, 32, 64], TensorValues = [128, 256, 512];

    readonly CudaContext _context;
    readonly CudaFunction[] _general;
    readonly CudaFunction[,] _tensor;
    readonly CudaFunction _merge;
    readonly int _sharedBytes;

    /// <summary>The kernels of a device.</summary>
    /// <param name="context">The device.</param>
    /// <param name="activations">How far tensor cores may round queries and weights.</param>
    public AttendKernels(CudaContext context, ActivationType activations)
    {
        (_context, Terms) = (context, TensorTerms.Of(activations));
        _sharedBytes = context.SharedBytes - OwnSharedBytes;
        var (general, tensor) = (context.Module("attend.cu"), context.Module("attend_tensor.cu"));
        _general = [.. GeneralQueries.Select(queries => general.Function($"attend_{queries}", _sharedBytes))];
        _tensor = new CudaFunction[TensorQueries.Length, TensorValues.Length];
        for (var i = 0; i < TensorQueries.Length; i++)
            for (var j = 0; j < TensorValues.Length; j++) _tensor[i, j] = tensor.Function($"attend_tensor_{TensorQueries[i]}_{TensorValues[j]}", _sharedBytes);
        _merge = general.Function("attend_merge");
    }

    /// <summary>What queries and weights are made of on tensor cores.</summary>
    public TensorTerms Terms { get; }

    /// <summary>The kernel that takes as many queries together as read the same rows, where it has room for them.</summary>
    /// <param name="shape">The facts.</param>
    /// <param name="rule">What the scores are told.</param>
    /// <param name="cached">The streams.</param>
    /// <param name="rows">Rows of the longest run.</param>
    public AttendKernel Choose(AttendShape shape, ScoreRule rule, AttendRows cached, int rows)
    {
        var wanted = (int)Math.Min(int.MaxValue, (long)rows * (shape.QueryHeads / shape.Groups));
        return TensorShared.IsLegal(shape, rule, cached) && TensorShared.Bytes(shape, cached, TensorQueries[0], Terms) <= _sharedBytes
            ? Tensor(shape, cached, wanted)
            : General(shape, wanted);
    }

    /// <summary>The same among those that are legal for all.</summary>
    public AttendKernel General(AttendShape shape, int wanted)
    {
        AttendKernel? chosen = null;
        for (var i = 0; i < GeneralQueries.Length; i++)
        {
            var bytes = GeneralBytes(GeneralQueries[i], shape.OutputWidth);
            if (bytes > _sharedBytes) break;
            chosen = new(_general[i], GeneralQueries[i], GeneralThreads, bytes);
            if (GeneralQueries[i] >= wanted) break;
        }
        return chosen ?? throw new ArgumentException(
            $"Cannot attend: outputs of {shape.OutputWidth} values take {GeneralBytes(GeneralQueries[0], shape.OutputWidth):N0} bytes of shared memory, "
            + $"and the device has {_sharedBytes:N0}.", nameof(shape));
    }

    /// <summary>Floats of a slot.</summary>
    public static long SlotFloats(int queries, int outputWidth) => queries * (outputWidth + 2L);

    /// <summary>Computes the items.</summary>
    public void Attend(AttendKernel kernel, int blocks, in AttendArguments arguments) =>
        _context.Stream.Launch(kernel.Function, new(blocks), kernel.Threads, arguments, kernel.SharedBytes);

    /// <summary>Merges the states of so many units.</summary>
    public void Merge(int queries, int merges, in MergeArguments arguments) => _context.Stream.Launch(_merge, new(merges, queries), GeneralThreads, arguments);

    AttendKernel Tensor(AttendShape shape, AttendRows cached, int wanted)
    {
        var values = Array.FindIndex(TensorValues, width => width >= shape.OutputWidth);
        AttendKernel chosen = default;
        for (var i = 0; i < TensorQueries.Length; i++)
        {
            var bytes = TensorShared.Bytes(shape, cached, TensorQueries[i], Terms);
            if (bytes > _sharedBytes) break;
            chosen = new(_tensor[i, values], TensorQueries[i], TensorThreads, bytes);
            if (TensorQueries[i] >= wanted) break;
        }
        return chosen;
    }

    // Layout of attend.cu: a tile of 64 rows and 64 columns, and of every query as many columns, weights and values.
    static int GeneralBytes(int queries, int outputWidth) => checked((64 * 65 + queries * (64 + 64 + outputWidth)) * sizeof(float));
}
