using Serving.Devices;

namespace Serving.Tests;

public sealed class CudaElements() : ElementConformance(_ => CudaEmulator.Device());

public sealed class CudaProducts() : ProductConformance(_ => CudaEmulator.Device());

// Each input is off by at most 2^-8 of it.
public sealed class CudaBFloat16Products() : ProductConformance(_ => CudaEmulator.Device(ActivationType.BFloat16), 1.0 / 256);

public sealed class CudaExperts() : ExpertConformance(_ => CudaEmulator.Device());

public sealed class CudaAttends() : AttendConformance(
    _ => CudaEmulator.Device(), runs: (what, alone) => Fixtures.All || !alone || what.Shape.Groups == 1);

// With inputs rounded to bfloat16, tensor cores take one term a query, a weight and a value with a scale, each off by at most 2^-8 of it.
public sealed class CudaBFloat16Attends() : AttendConformance(
    _ => CudaEmulator.Device(ActivationType.BFloat16), 1.0 / 128,
    (what, alone) => Fixtures.All || (what.Type.Type != CacheType.Float32 && (alone ? what.Shape.Groups == 1 : what.Shape.ValueInMain)));

public sealed class CudaSharedRows() : SharedRowConformance(_ => CudaEmulator.Device());

public sealed class CudaStates() : StateConformance(_ => CudaEmulator.Device());

public sealed class CudaExpanded() : ExpandedConformance(
    _ => CudaEmulator.Device(), (what, alone) => Fixtures.All || (alone ? what.Embedded > 0 : what.Key < 64));

public sealed class CudaSwaps() : SwapConformance(() => CudaEmulator.Device());
