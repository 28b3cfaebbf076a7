namespace Serving.Tests;

public sealed class CudaElements() : ElementConformance(_ => CudaEmulator.Device());

public sealed class CudaProducts() : ProductConformance(_ => CudaEmulator.Device());

public sealed class CudaExperts() : ExpertConformance(_ => CudaEmulator.Device());

public sealed class CudaAttends() : AttendConformance(_ => CudaEmulator.Device());

public sealed class CudaSharedRows() : SharedRowConformance(_ => CudaEmulator.Device());

public sealed class CudaStates() : StateConformance(_ => CudaEmulator.Device());

public sealed class CudaExpanded() : ExpandedConformance(_ => CudaEmulator.Device());
