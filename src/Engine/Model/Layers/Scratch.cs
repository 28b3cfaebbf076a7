using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>
/// Device memory for the intermediate results of a step, handed out front to back. It grows while a step larger than any before
/// passes through, and never again after that.
/// </summary>
/// <param name="device">Whose memory.</param>
public sealed class Scratch(IDevice device) : IDisposable
{
    const long Alignment = 64;
    readonly List<(nint Address, long Bytes)> _blocks = [];
    int _block;
    long _used;

    /// <summary>Takes a packed matrix; it lives until the mark before it is released.</summary>
    public Tensor Take(int rows, int columns)
    {
        var bytes = ((long)rows * columns * sizeof(float) + Alignment - 1) / Alignment * Alignment;
        while (_block < _blocks.Count && _used + bytes > _blocks[_block].Bytes) (_block, _used) = (_block + 1, 0);
        if (_block == _blocks.Count)
        {
            var size = Math.Max(bytes, _blocks.Sum(block => block.Bytes));
            _blocks.Add((device.Allocate(size), size));
        }
        var address = _blocks[_block].Address + (nint)_used;
        _used += bytes;
        return Tensor.Matrix(address, rows, columns);
    }

    /// <summary>Where the next <see cref="Take"/> begins.</summary>
    public (int Block, long Used) Mark() => (_block, _used);

    /// <summary>Gives back all that was taken since the mark.</summary>
    public void Release((int Block, long Used) mark) => (_block, _used) = mark;

    /// <summary>Gives the memory back to the device.</summary>
    public void Dispose()
    {
        foreach (var (address, _) in _blocks) device.Free(address);
        _blocks.Clear();
    }
}
