namespace Serving.Devices;

/// <summary>Which device is used, and where its driver and compiler are found.</summary>
/// <param name="Ordinal">The device's number, from 0.</param>
public sealed record CudaOptions(int Ordinal = 0)
{
    /// <summary>How far inputs of products on tensor cores may be rounded.</summary>
    public ActivationType Activations { get; init; }

    /// <summary>Whether steps that are like earlier ones are launched as one graph.</summary>
    public bool Graphs { get; init; } = true;

    /// <summary>Is told what the device's user should know while it works.</summary>
    public Action<string> Tell { get; init; } = _ => { };

    /// <summary>Path of the driver; null for the system's libcuda.so.1.</summary>
    public string? Driver { get; init; }

    /// <summary>Path of NVRTC; null for the newest that the system has.</summary>
    public string? Compiler { get; init; }

    /// <summary>Whether kernels are compiled for the device where there is a compiler; else their PTX is used.</summary>
    public bool Compiles { get; init; } = true;

    /// <summary>Folder of the kernels' PTX.</summary>
    public string PtxFolder { get; init; } = Path.Combine(AppContext.BaseDirectory, "kernels");

    /// <summary>Folder that keeps compiled kernels from one start to the next; null where the user has none.</summary>
    public string? CacheFolder { get; init; } =
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify) is { Length: > 0 } folder
            ? Path.Combine(folder, "serving", "kernels")
            : null;

    /// <summary>
    /// The options of a device that the environment names: SERVING_CUDA_DRIVER, SERVING_CUDA_COMPILER and SERVING_CUDA_CACHE are paths.
    /// </summary>
    public static CudaOptions FromEnvironment(int ordinal = 0)
    {
        var options = new CudaOptions(ordinal)
        {
            Driver = Environment.GetEnvironmentVariable("SERVING_CUDA_DRIVER"),
            Compiler = Environment.GetEnvironmentVariable("SERVING_CUDA_COMPILER"),
        };
        return Environment.GetEnvironmentVariable("SERVING_CUDA_CACHE") is { Length: > 0 } cache ? options with { CacheFolder = cache } : options;
    }
}
