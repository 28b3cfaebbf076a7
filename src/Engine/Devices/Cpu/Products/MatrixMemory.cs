namespace Serving.Devices.Cpu;

/// <summary>
/// Memory of all matrices of a device, which live as long as it does. They lie one behind the other in large pieces, so that small ones
/// share huge pages too: a step reads every weight once, and in small pages misses the address cache as often.
/// </summary>
sealed class MatrixMemory : IDisposable
{
    const long Piece = 32 << 20, Alignment = 64;

    readonly List<(nint Address, long Bytes)> _pieces = [];
    nint _next;
    long _left;

    /// <summary>Takes zeroed memory aligned to 64 bytes; throws as <see cref="SystemMemory.Take"/> does.</summary>
    public nint Take(long bytes)
    {
        bytes = (bytes + Alignment - 1) / Alignment * Alignment;
        if (bytes > _left)
        {
            var piece = Math.Max(bytes, Piece);
            (_next, _left) = (SystemMemory.Take(piece), piece);
            _pieces.Add((_next, piece));
        }
        var address = _next;
        (_next, _left) = (_next + (nint)bytes, _left - bytes);
        return address;
    }

    /// <summary>Gives all of it back.</summary>
    public void Dispose()
    {
        foreach (var (address, bytes) in _pieces) SystemMemory.Give(address, bytes);
        _pieces.Clear();
        (_next, _left) = (0, 0);
    }
}
