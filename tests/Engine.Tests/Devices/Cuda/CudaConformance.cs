namespace Serving.Tests;

public sealed class CudaElements() : ElementConformance(_ => CudaEmulator.Device());
