using Serving.Devices.Reference;

namespace Serving.Tests;

// The reference against itself: what remains is that rows stand alone, gaps stay untouched and bad shapes are refused.
// ReferenceDeviceTests holds its numbers against direct formulas.
public sealed class ReferenceProducts() : ProductConformance(_ => new ReferenceDevice());

public sealed class ReferenceExperts() : ExpertConformance(_ => new ReferenceDevice());

public sealed class ReferenceElements() : ElementConformance(_ => new ReferenceDevice());

public sealed class ReferenceAttends() : AttendConformance(_ => new ReferenceDevice());

public sealed class ReferenceStateConformance() : StateConformance(_ => new ReferenceDevice());

public sealed class ReferenceSharedRows() : SharedRowConformance(_ => new ReferenceDevice());

public sealed class ReferenceSwaps() : SwapConformance(() => new ReferenceDevice());
