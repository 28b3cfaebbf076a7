using System.Runtime.InteropServices;
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
    readonly Dictionary<(string Name, int First, int Rows), Matrix> _matrices = [];
    readonly Dictionary<string, Tensor> _vectors = [];
    readonly List<Array> _built = [];

    /// <summary>The matrix of a linear step: all rows of a stored matrix, or a range of them.</summary>
    public Matrix Matrix(Step.Linear linear)
    {
        var key = (linear.Weight, linear.First, linear.Outputs);
        if (_matrices.TryGetValue(key, out var known)) return known;
        return _matrices[key] = Load(Rounded(linear.Of == 0
            ? ledger.Take(linear.Weight, linear.Outputs, linear.Inputs)
            : ledger.TakeRows(linear.Weight, linear.First, linear.Outputs, linear.Of, linear.Inputs)));
    }

    /// <summary>A stored vector as float32 [1 x n].</summary>
    public Tensor Vector(string name)
    {
        if (_vectors.TryGetValue(name, out var known)) return known;
        var stored = ledger.Take(name);
        var values = new float[stored.Count];
        for (var row = 0; row < stored.Rows; row++) RowWidening.Widen(stored, row, values.AsSpan(row * stored.Columns, stored.Columns));
        var vector = Tensor.Matrix(device.Allocate((long)values.Length * sizeof(float)), 1, values.Length);
        device.Write(values, vector);
        return _vectors[name] = vector;
    }

    /// <summary>The experts of a linear step whose name holds "{0}" for the number, as one stack.</summary>
    public Matrix Experts(Step.Linear linear, int experts)
    {
        var stored = Enumerable.Range(0, experts)
            .Select(expert => Rounded(ledger.Take(string.Format(linear.Weight, expert), linear.Outputs, linear.Inputs))).ToList();
        var mixed = stored.FirstOrDefault(tensor => tensor.Type != stored[0].Type);
        if (mixed is not null)
            throw new CheckpointException($"Expert {mixed.Name} is stored as {mixed.Type.Name()}, {stored[0].Name} as {stored[0].Type.Name()}; experts of a layer must be stored alike.");
        return Stack(stored, linear.Outputs, linear.Inputs);
    }

    /// <summary>
    /// The slices of a head map, transposed: [heads x inputs x Rows]. The transposed blocks of a quantised type would not be blocks
    /// any more, so those become float32; bfloat16 stays.
    /// </summary>
    public Matrix KeyMap(HeadMap map, int heads)
    {
        var transposed = Pinned<float>((long)heads * map.Inputs * map.Rows);
        var row = new float[map.Inputs];
        var type = StoredType.F32;
        for (var head = 0; head < heads; head++)
        {
            var slice = Slice(map, head, heads);
            type = slice.Type;
            for (var n = 0; n < map.Rows; n++)
            {
                RowWidening.Widen(slice, n, row);
                for (var c = 0; c < row.Length; c++) transposed[((long)head * row.Length + c) * map.Rows + n] = row[c];
            }
        }
        return LoadBuilt(map.Weight, type, transposed, [heads, map.Inputs, map.Rows]);
    }

    /// <summary>The slices of a head map as they are: [heads x Rows x inputs].</summary>
    public Matrix ValueMap(HeadMap map, int heads) =>
        Stack([.. Enumerable.Range(0, heads).Select(head => Rounded(Slice(map, head, heads)))], map.Rows, map.Inputs);

    StoredTensor Rounded(StoredTensor stored)
    {
        if (!round || stored.Type is not (StoredType.F32 or StoredType.F16)) return stored;
        var halves = Pinned<ushort>(stored.Count);
        var values = new float[stored.Columns];
        for (var row = 0; row < stored.Rows; row++)
        {
            RowWidening.Widen(stored, row, values);
            for (var i = 0; i < values.Length; i++) halves[row * values.Length + i] = BFloat16.Round(values[i]);
        }
        return new(stored.Name, StoredType.BF16, stored.Shape, AddressOf(halves));
    }

    StoredTensor Slice(HeadMap map, int head, int heads) =>
        ledger.TakeRows(map.Weight, head * map.Stride + map.Offset, map.Rows, heads * map.Stride, map.Inputs);

    /// <summary>Copies matrices of one shape and type side by side.</summary>
    Matrix Stack(List<StoredTensor> matrices, int outputs, int inputs)
    {
        var bytes = Pinned<byte>(matrices.Sum(matrix => matrix.ByteLength));
        var filled = 0;
        foreach (var matrix in matrices)
            for (var row = 0; row < matrix.Rows; row++, filled += (int)matrix.RowBytes)
                matrix.Row(row).CopyTo(bytes.AsSpan(filled));
        return Load(new(matrices[0].Name, matrices[0].Type, [matrices.Count, outputs, inputs], AddressOf(bytes)));
    }

    Matrix LoadBuilt(string name, StoredType type, float[] values, int[] shape)
    {
        if (type != StoredType.BF16 && !round) return Load(new(name, StoredType.F32, [.. shape], AddressOf(values)));
        var halves = Pinned<ushort>(values.Length);
        for (var i = 0; i < values.Length; i++) halves[i] = BFloat16.Round(values[i]);
        return Load(new(name, StoredType.BF16, [.. shape], AddressOf(halves)));
    }

    /// <summary>Brings a matrix to the device; what was built for it is dropped unless the device keeps reading it.</summary>
    Matrix Load(StoredTensor source)
    {
        var matrix = device.Load(source);
        if (!device.KeepsSource) _built.Clear();
        return matrix;
    }

    /// <summary>Memory that stays where it is, and lives until the next matrix is loaded from it.</summary>
    T[] Pinned<T>(long length)
    {
        var array = GC.AllocateUninitializedArray<T>(checked((int)length), pinned: true);
        _built.Add(array);
        return array;
    }

    static nint AddressOf(Array pinned) => Marshal.UnsafeAddrOfPinnedArrayElement(pinned, 0);
}
