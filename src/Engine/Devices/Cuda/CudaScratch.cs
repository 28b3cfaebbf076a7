namespace Serving.Devices.Cuda;

/// <summary>One block of device memory for results between two launches; it grows to what was asked for most.</summary>
sealed class CudaScratch(CudaContext context)
{
    nint _address;
    long _bytes;

    /// <summary>Memory, whatever it holds, until the next call; the stream's order makes it safe to use again at once.</summary>
    public nint Take(long bytes)
    {
        if (bytes <= _bytes) return _address;
        if (_address != 0) context.Free(_address);
        (_address, _bytes) = (0, 0);
        _address = context.Allocate(bytes);
        _bytes = bytes;
        return _address;
    }
}
