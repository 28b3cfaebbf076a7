using System.Runtime.InteropServices;

namespace Serving.Devices;

/// <summary>Zeroed host memory, aligned to 64 bytes, that remembers what it gave out.</summary>
public sealed unsafe class HostMemory : IDisposable
{
    const nuint Alignment = 64;

    readonly Dictionary<nint, long> _blocks = [];
    long _taken;
    bool _disposed;

    /// <summary>Bytes that the process may still take.</summary>
    public long FreeBytes => Math.Max(0, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - _taken);

    /// <summary>Takes a zeroed block; throws <see cref="InvalidOperationException"/> when there is less memory than that.</summary>
    public nint Allocate(long bytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (bytes > FreeBytes)
            throw new InvalidOperationException($"{bytes:N0} bytes were asked for, but only {FreeBytes:N0} of this machine's memory are left.");
        var size = (nuint)Math.Max(bytes, 1);
        var block = NativeMemory.AlignedAlloc(size, Alignment);
        NativeMemory.Clear(block, size);
        _blocks.Add((nint)block, bytes);
        _taken += bytes;
        return (nint)block;
    }

    /// <summary>Gives a block back; throws if the address was not given out, or was given back before.</summary>
    public void Free(nint address)
    {
        if (!_blocks.Remove(address, out var bytes))
            throw new ArgumentException($"No block of this device begins at 0x{address:x}.", nameof(address));
        _taken -= bytes;
        NativeMemory.AlignedFree((void*)address);
    }

    /// <summary>Gives every block back.</summary>
    public void Dispose()
    {
        _disposed = true;
        foreach (var block in _blocks.Keys) NativeMemory.AlignedFree((void*)block);
        _blocks.Clear();
    }
}
