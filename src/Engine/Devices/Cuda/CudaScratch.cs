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
        _bytes = Rounded(bytes);
        _address = context.Allocate(_bytes);
        return _address;
    }

    // In steps of a quarter: what grows with the sequences must not move with each.
    static long Rounded(long bytes)
    {
        var step = (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)Math.Max(bytes, 4096)) / 8;
        return (bytes + step - 1) / step * step;
    }
}
