using System.Runtime.InteropServices;

namespace Serving.Devices;

/// <summary>
/// Host memory of a weight whose blocks a file keeps in several tensors: put together when somebody reads it, and given up once nobody
/// needs it any more. Should it be read again, it is put together again.
/// </summary>
/// <param name="join">Makes the bytes, in a pinned array.</param>
public sealed class JoinedMemory(Func<Array> join)
{
    Array? _bytes;

    /// <summary>The address of the first byte, for as long as this object lives and is not released.</summary>
    public nint Address => Marshal.UnsafeAddrOfPinnedArrayElement(_bytes ??= join(), 0);

    /// <summary>Gives the memory up: no address that was given before may be read.</summary>
    public void Release() => _bytes = null;
}
