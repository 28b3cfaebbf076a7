namespace Serving.Devices.Cuda;

/// <summary>A kernel that can be launched.</summary>
/// <param name="Handle">The driver's handle.</param>
readonly record struct CudaFunction(nint Handle);

/// <summary>The loaded kernels of one source file.</summary>
sealed class CudaModule(CudaDriver driver, nint handle) : IDisposable
{
    /// <summary>A kernel by its name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="sharedBytes">The most dynamic shared memory that its launches ask for; beyond 48 KiB it must be asked for beforehand.</param>
    public CudaFunction Function(string name, int sharedBytes = 0)
    {
        const int Granted = 48 << 10;
        var function = driver.Function(handle, name);
        if (sharedBytes > Granted) driver.AllowShared(function, sharedBytes);
        return new(function);
    }

    /// <summary>Unloads them.</summary>
    public void Dispose() => driver.UnloadModule(handle);
}
