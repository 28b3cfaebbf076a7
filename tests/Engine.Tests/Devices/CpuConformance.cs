using Serving.Devices;

namespace Serving.Tests;

// The suites run it on 1, 2 and 3 threads.
public sealed class CpuProducts() : ProductConformance(threads => new CpuDevice(threads));

// Each input is off by at most 1/254 of the largest beside it.
public sealed class CpuInt8Products() : ProductConformance(threads => new CpuDevice(threads, ActivationType.Int8), 1.0 / 127);

public sealed class CpuInt16Products() : ProductConformance(threads => new CpuDevice(threads, ActivationType.Int16), 3e-5);

// Each input is off by at most 2^-8 of it.
public sealed class CpuBFloat16Products() : ProductConformance(threads => new CpuDevice(threads, ActivationType.BFloat16), 1.0 / 256);

public sealed class CpuExperts() : ExpertConformance(threads => new CpuDevice(threads));

public sealed class CpuElements() : ElementConformance(threads => new CpuDevice(threads));

public sealed class CpuAttends() : AttendConformance(threads => new CpuDevice(threads));

public sealed class CpuExpanded() : ExpandedConformance(threads => new CpuDevice(threads));

public sealed class CpuStates() : StateConformance(threads => new CpuDevice(threads));

public sealed class CpuSharedRows() : SharedRowConformance(threads => new CpuDevice(threads));

public sealed class CpuSwaps() : SwapConformance(() => new CpuDevice(1));
