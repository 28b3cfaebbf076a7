namespace Serving.Devices;

/// <summary>What a device reaches on the plainest work, measured: the bounds that kernels are compared with.</summary>
/// <param name="ReadBytesPerSecond">Reading memory that no cache holds.</param>
/// <param name="FlopsPerSecond">Independent float32 multiply-adds on registers, two operations each.</param>
public readonly record struct DeviceCeiling(double ReadBytesPerSecond, double FlopsPerSecond);
