using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Serving.Diagnostics;

/// <summary>Where the engine reports, and the clock that it reads.</summary>
public sealed record EngineDiagnostics
{
    /// <summary>Receives log messages; nobody by default.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>Makes the meter; a meter of the engine's own when null.</summary>
    public IMeterFactory? Meters { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
