using Serving.Devices;

namespace Serving.Tests;

// The suites run it on 1, 2 and 3 threads.
public sealed class CpuProducts() : ProductConformance(threads => new CpuDevice(threads));

public sealed class CpuExperts() : ExpertConformance(threads => new CpuDevice(threads));

public sealed class CpuElements() : ElementConformance(threads => new CpuDevice(threads));

public sealed class CpuAttends() : AttendConformance(threads => new CpuDevice(threads));

public sealed class CpuExpanded() : ExpandedConformance(threads => new CpuDevice(threads));

public sealed class CpuStates() : StateConformance(threads => new CpuDevice(threads));
