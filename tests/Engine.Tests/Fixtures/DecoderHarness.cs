using Serving.Attention;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>A checkpoint's decoder over a paged cache, driven by hand: one sequence whose pages lie in shuffled order.</summary>
sealed class DecoderHarness : IDisposable
{
    const int PageTokens = 16;
    const int MaxTokens = 256;

    readonly Checkpoint _checkpoint;
    readonly IDevice _device;
    readonly LatentCache _cache;
    readonly StateMemory _states;
    readonly StepInput _step;
    readonly int[] _pages;

    public DecoderHarness(
        Checkpoint checkpoint, IDevice device, CacheType type = CacheType.Float32, bool expands = false, bool rounds = false,
        Func<ModelSource, ModelPlan>? plan = null)
    {
        (_checkpoint, _device) = (checkpoint, device);
        var ledger = checkpoint.OpenLedger();
        Plan = (plan ?? ModelTypes.Plan)(new(checkpoint.Config, ledger)) with { Expands = expands };
        Layout = new CacheLayout([.. Plan.Attentions], CacheLayout.PageTokensFor(Plan.Attentions, PageTokens), type);
        _pages = [.. Enumerable.Range(0, MaxTokens / PageTokens)];
        new Random(7).Shuffle(_pages);
        _cache = new(device, Layout, [.. Layout.Groups.Select(_ => _pages.Length)]);
        _states = new(device, Layout.States, new([], Places: 1));
        _step = new(MaxTokens, 1, Layout.Groups.Length);
        Decoder = new(Plan, new(ledger, device, rounds), device, _cache, _states, MaxTokens);
        ledger.Close();
    }

    public ModelPlan Plan { get; }

    public CacheLayout Layout { get; }

    public Decoder Decoder { get; }

    /// <summary>Where the tokens of the sequence stand in time, height and width; empty where they stand at their positions.</summary>
    public GridPlace[] Places { get; set; } = [];

    /// <summary>Logits of each of some tokens that stand at <paramref name="position"/> and on.</summary>
    public float[][] Run(ReadOnlySpan<int> tokens, int position, int lengthLimit, bool expanded = false)
    {
        _step.Clear();
        _step.Add(tokens, position, lengthLimit, expanded);
        if (Places.Length > 0) _step.Places = Places[position..(position + tokens.Length)];
        _step.States.Add(0);
        foreach (var pages in _step.Pages) pages.Add(_pages);
        Decoder.Forward(_step);
        var logits = new float[tokens.Length][];
        for (var row = 0; row < tokens.Length; row++) logits[row] = Decoder.Logits([row]).ToArray();
        return logits;
    }

    /// <summary>Logits of all tokens of a sequence that is computed <paramref name="chunk"/> tokens at a time.</summary>
    public float[][] Prefill(int[] tokens, int chunk, int lengthLimit, bool expanded = false)
    {
        var logits = new List<float[]>();
        for (var at = 0; at < tokens.Length; at += chunk)
            logits.AddRange(Run(tokens.AsSpan(at, Math.Min(chunk, tokens.Length - at)), at, lengthLimit, expanded));
        return [.. logits];
    }

    /// <summary>Values of a tensor on the device.</summary>
    public float[] Read(Tensor tensor)
    {
        var values = new float[tensor.Rows * tensor.Columns];
        _device.Read(tensor, values);
        return values;
    }

    public void Dispose()
    {
        Decoder.Dispose();
        _cache.Dispose();
        _states.Dispose();
        _device.Dispose();
        _checkpoint.Dispose();
    }
}
