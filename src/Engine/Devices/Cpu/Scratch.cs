namespace Serving.Devices.Cpu;

/// <summary>Memory for the length of one operation: grown when an operation needs more than any before it, and kept.</summary>
sealed unsafe class Scratch : IDisposable
{
    nint _address;
    long _bytes;

    /// <summary>At least <paramref name="bytes"/> bytes, aligned to 64, until the next call; what lay in them before is lost.</summary>
    public byte* Take(long bytes)
    {
        if (bytes > _bytes)
        {
            Dispose();
            var grown = Math.Max(bytes + bytes / 2, 1 << 16);
            _address = SystemMemory.Take(grown);
            _bytes = grown;
        }
        return (byte*)_address;
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        if (_address != 0) SystemMemory.Give(_address, _bytes);
        (_address, _bytes) = (0, 0);
    }
}
