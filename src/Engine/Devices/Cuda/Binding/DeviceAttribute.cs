namespace Serving.Devices.Cuda;

/// <summary>The numbers that are asked of a device (CUDA driver API, CUdevice_attribute).</summary>
enum DeviceAttribute
{
    /// <summary>Multiprocessors.</summary>
    Multiprocessors = 16,

    /// <summary>Compute capability before the point.</summary>
    Major = 75,

    /// <summary>Compute capability behind the point.</summary>
    Minor = 76,

    /// <summary>Shared memory that a block may ask for, in bytes.</summary>
    SharedBytes = 97,
}
