using Serving.Attention;
using Serving.Cache;
using Serving.Devices;
using Serving.Model.Layers;

namespace Serving.Model;

/// <summary>A model on a device: embeds a step's tokens, runs its layers over the cache, and gives logits of the rows that are asked for.</summary>
public sealed class Decoder : IDecoder, IDisposable
{
    readonly ModelPlan _plan;
    readonly IDevice _device;
    readonly LayerContext _context;
    readonly LatentCache _cache;
    readonly StateMemory _states;
    readonly LayerRows _rows;
    readonly Matrix _embedding;
    readonly ProjectionLayer? _embeddingChannels;
    readonly Matrix? _positions;
    readonly Matrix _head;
    readonly Tensor _headBias;
    readonly Norm? _finalNorm;
    readonly BoundBlock[][] _layers;
    readonly ResidualStream _stream;
    readonly float[] _logits;
    readonly int[] _wanted;
    readonly StepPadding _padding;
    bool _repeats;

    /// <summary>Brings a model's weights to a device.</summary>
    /// <param name="plan">The model.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="cache">Where its rows are kept.</param>
    /// <param name="states">Where its states are kept.</param>
    /// <param name="maxRows">Most rows of a step.</param>
    public Decoder(ModelPlan plan, Weights weights, IDevice device, LatentCache cache, StateMemory states, int maxRows)
    {
        _plan = plan;
        _device = device;
        (_cache, _states, _rows) = (cache, states, new(device, cache, maxRows));
        _context = new(device, weights, new(device), new(device, maxRows)) { Expands = plan.Expands };
        _embedding = weights.Matrix(new(plan.Embedding, plan.VocabularySize, plan.HiddenSize));
        _embeddingChannels = Bind(plan.EmbeddingChannels);
        _positions = plan.Positions is null ? null : weights.Matrix(new(plan.Positions, plan.MaxLength, plan.HiddenSize));
        _head = weights.Matrix(new(plan.Head, plan.VocabularySize, plan.HiddenSize));
        _headBias = plan.HeadBias is null ? default : weights.Vector(plan.HeadBias);
        _finalNorm = Bind(plan.FinalNorm);
        var attentions = Enumerable.Range(0, int.MaxValue).GetEnumerator();
        _layers = [.. plan.Layers.Select(layer => layer.Blocks.Select(block => Bind(block, attentions)).ToArray())];
        _stream = new(_context);
        (_logits, _wanted, _padding) = (new float[LogitRows * plan.VocabularySize], new int[LogitRows], new(cache, states, maxRows));
    }

    /// <inheritdoc/>
    public int VocabularySize => _plan.VocabularySize;

    /// <inheritdoc/>
    public int HiddenSize => _plan.HiddenSize;

    /// <inheritdoc/>
    public int LogitRows => 32;

    /// <summary>Told of the residual stream [rows x hidden] before the first layer (0) and after each layer (1 and on); for tests and debugging.</summary>
    public Action<int, Tensor>? Probe { get; set; }

    /// <inheritdoc/>
    public void Forward(StepInput step)
    {
        _repeats = Probe is null && _device.RepeatsSteps && _padding.Fill(step);
        _device.BeginStep(_repeats);
        _context.Scratch.Release(default);
        _context.Step = step;
        _context.Carried.Begin(step.Rows.Rows);
        _context.Positions.Fill(step);
        _context.Segments.Cut(step);
        _stream.Begin(Embed(step));
        Probe?.Invoke(0, _stream.Rows);
        for (var layer = 0; layer < _layers.Length; layer++)
        {
            foreach (var block in _layers[layer]) _stream.Run(block, step);
            Probe?.Invoke(layer + 1, _stream.Rows);
        }
    }

    Tensor Embed(StepInput step)
    {
        var rows = step.Rows.Rows;
        var embedded = _context.Scratch.Take(rows, HiddenSize);
        _device.Embed(_embedding, step.Tokens.AsSpan(0, rows), _plan.EmbeddingScale, embedded);
        if (_embeddingChannels is { } channels) embedded = channels.Run(embedded);
        if (_positions is null) return embedded;
        var mark = _context.Scratch.Mark();
        var positions = _context.Scratch.Take(rows, HiddenSize);
        _device.Embed(_positions, step.Rows.Positions.AsSpan(0, rows), 1, positions);
        _device.Add(positions, 1, embedded);
        _context.Scratch.Release(mark);
        return embedded;
    }

    /// <inheritdoc/>
    public Span<float> Logits(ReadOnlySpan<int> rows)
    {
        if (rows.Length > LogitRows) throw new ArgumentException($"{rows.Length} rows of logits asked for; at most {LogitRows} at a time.", nameof(rows));
        var mark = _context.Scratch.Mark();
        var host = _logits.AsSpan(0, rows.Length * VocabularySize);
        _device.Read(LogitsOf(_repeats ? Padded(rows) : rows).Take(rows.Length), host);
        _context.Scratch.Release(mark);
        return host;
    }

    /// <inheritdoc/>
    public bool Chooses => _device is ITokenChooser && VocabularySize <= ITokenChooser.MaxVocabulary;

    /// <inheritdoc/>
    public void Choose(ChoiceBatch choices, Span<int> chosen)
    {
        if (!Chooses) throw new NotSupportedException($"{_device.Description} brings logits of {VocabularySize} tokens to the host alone.");
        var chooser = (ITokenChooser)_device;
        if (_repeats) choices.Fill(StepPadding.SizeOf(choices.Rows.Length, int.MaxValue));
        for (int first = 0, count; first < choices.Rows.Length; first += count)
        {
            // The stream's order makes it safe to use the memory again at once.
            var mark = _context.Scratch.Mark();
            count = Math.Min(LogitRows, choices.Rows.Length - first);
            chooser.Choose(LogitsOf(choices.Rows.Slice(first, count)), choices, first);
            _context.Scratch.Release(mark);
        }
        chooser.Chosen(chosen);
    }

    Tensor LogitsOf(ReadOnlySpan<int> rows)
    {
        var logits = _context.Scratch.Take(rows.Length, VocabularySize);
        _device.Multiply(_head, HeadInput(rows), _headBias, logits);
        if (_plan.LogitScale != 1) _device.Scale(logits, _plan.LogitScale, default);
        if (_plan.LogitSoftcap != 0) Cap(logits);
        return logits;
    }

    // In a step that is repeated, rows of logits come in as few sizes as rows.
    ReadOnlySpan<int> Padded(ReadOnlySpan<int> rows)
    {
        var padded = _wanted.AsSpan(0, StepPadding.SizeOf(rows.Length, LogitRows));
        padded.Fill(rows[^1]);
        rows.CopyTo(padded);
        return padded;
    }

    void Cap(Tensor logits)
    {
        _device.Scale(logits, 1 / _plan.LogitSoftcap, default);
        _device.Activate(Activation.Tanh, logits, default, logits);
        _device.Scale(logits, _plan.LogitSoftcap, default);
    }

    /// <inheritdoc/>
    public void Hidden(int row, Span<float> destination)
    {
        var mark = _context.Scratch.Mark();
        _device.Read(HeadInput([row]), destination);
        _context.Scratch.Release(mark);
    }

    /// <inheritdoc/>
    public void CopyPages(int pageGroup, ReadOnlySpan<int> from, ReadOnlySpan<int> to) => _cache.CopyPages(pageGroup, from, to);

    /// <inheritdoc/>
    public void CopyStates(ReadOnlySpan<int> from, ReadOnlySpan<int> to) => _states.Copy(from, to);

    /// <summary>Where pages are put that the cache has no room for; null for nowhere.</summary>
    public SwapMemory? SwapMemory { get; init; }

    /// <inheritdoc/>
    public void SwapPages(Swap way, int pageGroup, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        if (SwapMemory is null) throw new InvalidOperationException("Pages are swapped and there is no memory for them.");
        if (pageGroup < _cache.Layout.Groups.Length) SwapMemory.Pages(way, pageGroup, from, to);
        else SwapMemory.States(way, from, to);
    }

    /// <summary>Gives scratch memory back; weights and cache belong to others.</summary>
    public void Dispose()
    {
        _context.Scratch.Dispose();
        _context.Positions.Dispose();
        _rows.Dispose();
    }

    Tensor HeadInput(ReadOnlySpan<int> rows)
    {
        var input = _context.Scratch.Take(rows.Length, HiddenSize);
        _device.Gather(_stream.Rows, rows, input);
        if (_finalNorm is { } norm) _device.Normalize(norm, input, input);
        if (_plan.HeadInputScale != 1) _device.Scale(input, _plan.HeadInputScale, default);
        return input;
    }

    Norm? Bind(Step.Normalize? norm) => norm is null ? null : ProjectionLayer.Bind(norm, _context);

    BoundBlock Bind(BlockPlan block, IEnumerator<int> attentions) =>
        new(Bind(block.Before), Body(block, attentions), Bind(block.After), block.Scale, block.AddsAfter)
        {
            Stream = Bind(block.Channels?.Stream),
            Result = Bind(block.Channels?.Result),
        };

    ProjectionLayer? Bind(Step.Convolve? channels) => channels is null ? null : new(Projection.Of(channels), _context);

    Func<Tensor, StepInput, Tensor> Body(BlockPlan block, IEnumerator<int> attentions)
    {
        switch (block)
        {
            case AttentionBlock { Plan: var plan }:
                attentions.MoveNext();
                var index = attentions.Current;
                var owner = plan.Streams.FirstOrDefault(stream => stream.OwnedBy is null) ?? plan.Streams.FirstOrDefault();
                // A layer that keeps states alone has no pages.
                var pages = owner is null ? 0 : _rows.PageGroup(owner.OwnedBy ?? index);
                return new AttentionLayer(
                    plan, _context, stream => _rows.Of(plan.Stream(stream).OwnedBy ?? index, stream), pages,
                    new(plan, _context, state => _states.View(index, state))).Run;
            case FeedForwardBlock { Plan: var plan }:
                var layer = FeedForwardLayer.Bind(plan, _context);
                return (input, _) => layer.Run(input);
            default:
                throw new InvalidOperationException($"Block {block.GetType().Name} has no execution.");
        }
    }
}
