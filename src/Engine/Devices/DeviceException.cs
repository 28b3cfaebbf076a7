namespace Serving.Devices;

/// <summary>A device failed at what it was asked for.</summary>
/// <param name="message">What happened and what to do, for people.</param>
/// <param name="isLost">Whether everything that is asked of it from now on fails too.</param>
public abstract class DeviceException(string message, bool isLost) : Exception(message)
{
    /// <summary>Whether everything that is asked of the device from now on fails too: whoever uses it has to end.</summary>
    public bool IsLost { get; } = isLost;
}
