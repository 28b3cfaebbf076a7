using Serving.Attention;
using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Model;

/// <summary>Names of a checkpoint to matrices and vectors on a device. Each is brought over once, however often it is asked for.</summary>
/// <param name="ledger">The checkpoint's tensors, and the account of which were used.</param>
/// <param name="device">Where they go.</param>
/// <param name="round">Whether float32 and float16 matrices are rounded to bfloat16.</param>
public sealed class Weights(TensorLedger ledger, IDevice device, bool round = false)
{
    readonly Dictionary<Step.Linear, Matrix> _matrices = [];
    readonly Dictionary<string, Tensor> _vectors = [];
    readonly HashSet<string> _taken = [];
    readonly Dictionary<HeadMap, StoredTensor[]> _slices = [];
    readonly List<Array> _built = [];

    /// <summary>The matrix of a linear step: all rows of a stored matrix, or some of them.</summary>
    public Matrix Matrix(Step.Linear linear)
    {
        var key = linear with { Bias = null };
        if (_matrices.TryGetValue(key, out var known)) return known;
        return _matrices[key] = linear switch
        {
            { Made: { } made } => Made([made]),
            { Transposed: false, Of: 0 } => Load(ledger.Take(linear.Weight, linear.Outputs, linear.Inputs)),
            { Transposed: false, Parts: 1 } => Load(ledger.TakeRows(linear.Weight, linear.First, linear.Outputs, linear.Of, linear.Inputs)),
            _ => Assemble(linear, [Shared(linear.Weight, StoredShape(linear))]),
        };
    }

    /// <summary>The bias of a linear step [1 x outputs]; empty when it has none.</summary>
    public Tensor Bias(Step.Linear linear)
    {
        if (linear.MadeBias is { } made) return Put(Values(made), 1);
        if (linear.Bias is null) return default;
        if (linear.Parts == 1) return Vector(linear.Bias).Slice(linear.First, linear.Outputs);
        var values = Widen(Shared(linear.Bias, [linear.StoredRows]));
        return Put([.. linear.UsedRows().Select(row => values[row])], 1);
    }

    /// <summary>Made matrices of one size as a stack.</summary>
    public Matrix Made(IReadOnlyList<MadeMatrix> matrices)
    {
        var (first, maker, stored) = (matrices[0], Maker(), matrices.SelectMany(matrix => matrix.Sources).ToList());
        var exact = stored.Count > 0 && matrices.All(matrix => matrix.IsExact);
        var type = exact && stored.All(source => Shared(source.Name, [.. source.Shape]).Type == StoredType.BF16) ? StoredType.BF16 : StoredType.F32;
        var builder = new MatrixBuilder(
            TypeOf(type, transposed: true), matrices.Count == 1 ? [first.Rows, first.Columns] : [matrices.Count, first.Rows, first.Columns]);
        foreach (var matrix in matrices) builder.Add([.. maker.Make(matrix).Select(value => (float)value)]);
        return Load(builder, stored.Count == 0 ? "made" : stored[0].Name);
    }

    /// <summary>A made row as float32 [1 x n].</summary>
    public Tensor Row(MadeMatrix row) => Put(Values(row), 1);

    float[] Values(MadeMatrix matrix) => [.. Maker().Make(matrix).Select(value => (float)value)];

    MatrixMaker Maker() => new(stored => [.. Widen(Shared(stored.Name, [.. stored.Shape])).Select(value => (double)value)]);

    /// <summary>A stored vector as float32 [1 x n]; the vectors 0 or 1 and on side by side when the name holds "{0}".</summary>
    public Tensor Vector(string name)
    {
        if (_vectors.TryGetValue(name, out var known)) return known;
        return _vectors[name] = Put([.. ledger.Numbered(name).SelectMany(part => Widen(ledger.Take(part)))], 1);
    }

    /// <summary>The experts of a linear step, as one stack.</summary>
    public Matrix Experts(Step.Linear linear, int experts)
    {
        int[] shape = StoredShape(linear);
        if (linear.Weight.Contains("{0}", StringComparison.Ordinal))
            return Assemble(linear, [.. Enumerable.Range(0, experts).Select(expert => Shared(string.Format(linear.Weight, expert), shape))]);
        var stack = Shared(linear.Weight, [experts, .. shape]);
        return linear is { Transposed: false, Of: 0 }
            ? Load(stack)
            : Assemble(linear, [.. Enumerable.Range(0, experts).Select(stack.At)]);
    }

    /// <summary>The biases of a linear step's experts, which are stored stacked [experts x outputs]; empty when it has none.</summary>
    public Tensor ExpertBiases(Step.Linear linear, int experts)
    {
        if (linear.Bias is null) return default;
        var (values, rows) = (Widen(Shared(linear.Bias, [experts, linear.StoredRows])), linear.UsedRows());
        return Put([.. Enumerable.Range(0, experts).SelectMany(expert => rows.Select(row => values[expert * linear.StoredRows + row]))], experts);
    }

    /// <summary>
    /// The slices of a head map, transposed: [heads x inputs x Rows]. The transposed blocks of a quantised type would not be blocks
    /// any more, so those become float32; bfloat16 stays.
    /// </summary>
    public Matrix KeyMap(HeadMap map, int heads)
    {
        if (!map.Made.IsEmpty) return Made([.. map.Made.Select(matrix => matrix.Transpose())]);
        if (map.Ready) return Load(Shared(map.Weight, [heads, map.Inputs, map.Rows]));
        var slices = Slices(map, heads);
        var builder = new MatrixBuilder(TypeOf(slices[0].Type, transposed: true), heads, map.Inputs, map.Rows);
        int[] columns = [.. Enumerable.Range(0, map.Inputs)];
        foreach (var slice in slices) builder.AddColumns(slice, columns);
        return Load(builder, map.Weight);
    }

    /// <summary>The slices of a head map as they are: [heads x Rows x inputs].</summary>
    public Matrix ValueMap(HeadMap map, int heads) => !map.Made.IsEmpty ? Made(map.Made) : map.Ready
        ? Load(ledger.Take(map.Weight, heads, map.Rows, map.Inputs))
        : Assemble(new(map.Weight, map.Rows, map.Inputs), Slices(map, heads));

    /// <summary>A key map untransposed, which rebuilds keys: [heads x Rows x inputs]. Where it is stored transposed, it is turned back.</summary>
    public Matrix Keys(HeadMap map, int heads)
    {
        if (!map.Made.IsEmpty) return Made(map.Made);
        if (!map.Ready) return Assemble(new(map.Weight, map.Rows, map.Inputs), Slices(map, heads));
        var stack = Shared(map.Weight, [heads, map.Inputs, map.Rows]);
        return Assemble(new(map.Weight, map.Rows, map.Inputs) { Transposed = true }, [.. Enumerable.Range(0, heads).Select(stack.At)]);
    }

    // A key map is loaded in two orders: the ledger counts its rows once.
    StoredTensor[] Slices(HeadMap map, int heads) => _slices.TryGetValue(map, out var known) ? known : _slices[map] =
    [
        .. Enumerable.Range(0, heads).Select(head =>
            ledger.TakeRows(map.Weight, head * map.Stride + map.Offset, map.Rows, heads * map.Stride, map.Inputs)),
    ];

    /// <summary>A tensor of which several steps use different parts.</summary>
    StoredTensor Shared(string name, int[] shape) => _taken.Add(name) ? ledger.Take(name, shape) : ledger.TakeAgain(name, shape);

    static int[] StoredShape(Step.Linear linear) =>
        linear.Transposed ? [linear.Inputs, linear.StoredRows] : [linear.StoredRows, linear.Inputs];

    /// <summary>The used rows of stored matrices of one type, as one stack.</summary>
    Matrix Assemble(Step.Linear linear, StoredTensor[] sources)
    {
        var (first, rows) = (sources[0], linear.UsedRows());
        var mixed = sources.FirstOrDefault(source => source.Type != first.Type);
        if (mixed is not null)
            throw new CheckpointException($"{mixed.Name} is stored as {mixed.Type.Name()}, {first.Name} as {first.Type.Name()}; "
                + "matrices that work together must be stored alike.");
        var builder = new MatrixBuilder(TypeOf(first.Type, linear.Transposed), sources.Length, linear.Outputs, linear.Inputs);
        foreach (var source in sources)
            if (linear.Transposed) builder.AddColumns(source, rows);
            else builder.AddRows(source, rows);
        return Loaded(Load(builder, first.Name), sources);
    }

    StoredType TypeOf(StoredType stored, bool transposed) =>
        stored == StoredType.BF16 || (round && (transposed || stored is StoredType.F32 or StoredType.F16)) ? StoredType.BF16
        : transposed ? StoredType.F32
        : stored;

    Matrix Load(StoredTensor stored)
    {
        if (TypeOf(stored.Type, transposed: false) == stored.Type) return Loaded(device.Load(stored), [stored]);
        var builder = new MatrixBuilder(StoredType.BF16, [.. stored.Shape]);
        builder.AddRows(stored, [.. Enumerable.Range(0, stored.Rows)]);
        return Loaded(Load(builder, stored.Name), [stored]);
    }

    // A device with a copy of its own has no use for the mapped pages; should a tensor be read again, they come back.
    Matrix Loaded(Matrix matrix, StoredTensor[] sources)
    {
        if (!device.KeepsSource)
            foreach (var source in sources) StoredPages.Drop(source);
        return matrix;
    }

    Matrix Load(MatrixBuilder builder, string name)
    {
        if (device.KeepsSource) _built.Add(builder.Memory);
        var matrix = device.Load(builder.Build(name));
        GC.KeepAlive(builder);
        return matrix;
    }

    Tensor Put(float[] values, int rows)
    {
        var tensor = Tensor.Matrix(device.Allocate((long)values.Length * sizeof(float)), rows, values.Length / rows);
        device.Write(values, tensor);
        return tensor;
    }

    static float[] Widen(StoredTensor stored) => RowWidening.Widen(stored);
}
