using Serving.Devices.Cuda;

namespace Serving.Devices;

/// <summary>The CUDA device cannot be used, or a call of its driver or compiler failed: the message says which, why and what to do.</summary>
/// <param name="message">What happened, for people.</param>
/// <param name="status">The status of the call; 0 where none was made.</param>
public sealed class CudaException(string message, int status = 0) : DeviceException(message, CudaStatus.IsLost(status))
{
    /// <summary>The status of the call; 0 where none was made.</summary>
    public int Status { get; } = status;
}
