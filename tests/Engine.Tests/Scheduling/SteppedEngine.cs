using System.Collections.Immutable;
using Serving.Cache;
using Serving.Diagnostics;
using Serving.Model;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving.Tests;

/// <summary>An engine without a thread: a test makes its steps, and every book is recounted after each.</summary>
class SteppedEngine : IDisposable
{
    readonly List<Generation> _generations = [];
    readonly DraftModel? _draft;

    public SteppedEngine(IDecoder decoder, CacheLayout layout, CacheSize size, EngineOptions options, TimeProvider? clock = null, IDrafter? drafter = null)
    {
        (Layout, _draft) = (layout, drafter as DraftModel);
        Loop = new(decoder, layout, size, options with { PageTokens = layout.PageTokens }, new() { Clock = clock ?? new StillClock() }, drafter);
    }

    public CacheLayout Layout { get; }
    public EngineLoop Loop { get; }
    public EngineFigures Figures => Loop.Figures;
    public IReadOnlyList<Generation> Generations => _generations;

    public Generation Submit(GenerationRequest request)
    {
        var generation = Loop.Submit(request);
        _generations.Add(generation);
        return generation;
    }

    /// <summary>One step with its books; false when there was nothing to do.</summary>
    public bool Step()
    {
        var worked = Loop.Step();
        Check();
        return worked;
    }

    /// <summary>Steps until nothing is left to do; returns their number.</summary>
    public int Finish(int most = 10_000)
    {
        for (var steps = 0; steps < most; steps++)
            if (!Step()) return steps;
        throw new InvalidOperationException($"Not done after {most} steps: {Figures}");
    }

    public void Check()
    {
        Loop.Pages.Check([.. _generations.SelectMany(generation => generation.Sequences).Select(sequence => sequence.Tables)]);
        _draft?.Pages.Check([.. _draft.Tables]);
    }

    /// <summary>Fails unless every sequence is over and no page is held.</summary>
    public void CheckNothingIsLeft()
    {
        Check();
        var open = _generations.SelectMany(generation => generation.Sequences).Where(sequence => sequence.State != SequenceState.Finished);
        Assert.Empty(open.Select(sequence => $"{sequence.State}, {sequence.Computed} of {sequence.Known.Length} tokens computed"));
        Assert.Empty(_draft?.Tables ?? []);
        Assert.Equal((0, 0, 0, 0), (Figures.PagesHeld, Figures.Running, Figures.Waiting, Figures.SwapBytesHeld));
    }

    public void Dispose() => Loop.Dispose();
}
