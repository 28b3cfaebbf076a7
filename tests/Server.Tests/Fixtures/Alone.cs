namespace Serving.Tests;

/// <summary>Tests that measure the memory of the whole process: they run when all others have ended, one after another.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
