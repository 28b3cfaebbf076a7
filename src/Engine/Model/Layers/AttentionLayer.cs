using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>Any <see cref="AttentionPlan"/> on any device: write the token's rows, make the query, attend, project out.</summary>
public sealed class AttentionLayer
{
    readonly LayerContext _context;
    readonly (ProjectionLayer From, PagedRows Rows)[] _streams;
    readonly ProjectionLayer _query;
    readonly ProjectionLayer? _gate;
    readonly ProjectionLayer _output;
    readonly Matrix? _keyMap;
    readonly Matrix? _valueMap;
    readonly AttendShape _shape;
    readonly ScoreRule _rule;
    readonly AttendRows _cached;
    readonly int _pageGroup;
    readonly int _rotaryOffset;

    /// <summary>Binds a plan to its weights and its part of the cache.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="context">What all layers share.</param>
    /// <param name="view">The cached rows of a stream of this layer.</param>
    /// <param name="pageGroup">Which page tables its rows are addressed by.</param>
    public AttentionLayer(AttentionPlan plan, LayerContext context, Func<string, PagedRows> view, int pageGroup)
    {
        var branch = plan.Branch;
        _context = context;
        _pageGroup = pageGroup;
        _streams = [.. plan.Streams.Select(stream => (new ProjectionLayer(stream.From, context), view(stream.Name)))];
        _query = new(branch.Query, context);
        _gate = branch.HeadGate is null ? null : new(branch.HeadGate, context);
        _output = new(branch.Output, context);
        _keyMap = branch.KeyMap is null ? null : context.Weights.KeyMap(branch.KeyMap, branch.Heads);
        _valueMap = branch.ValueMap is null ? null : context.Weights.ValueMap(branch.ValueMap, branch.Heads);
        _shape = plan.Shape;
        _rule = new(branch.Scale, branch.Softcap, plan.Rows.Window, plan.Rows.Chunk,
            branch.Sinks is null ? default : context.Weights.Vector(branch.Sinks));
        _cached = new(view(branch.Main), branch.Rotary is null ? default : view(branch.Rotary), branch.Value is null ? default : view(branch.Value));
        _rotaryOffset = branch.RotaryOffset;
    }

    /// <summary>Attention of every row of a step; the result lies in scratch memory.</summary>
    public Tensor Run(Tensor input, StepInput step)
    {
        var device = _context.Device;
        var pages = step.Pages[_pageGroup];
        foreach (var (from, rows) in _streams)
            device.WriteRows(from.Run(input).Split(rows.Groups), rows, step.Rows, pages);
        var query = _query.Run(input).Split(_shape.QueryHeads);
        var rotary = _shape.RotaryWidth == 0 ? default : query.Slice(_rotaryOffset, _shape.RotaryWidth);
        var attended = Heads(input.Rows, _shape.ValueWidth);
        device.Attend(_shape, _rule, Main(query), rotary, _cached, step.Rows, pages, attended);
        if (_gate is not null) Close(_gate.Run(input), attended);
        return _output.Run(Values(attended));
    }

    void Close(Tensor gate, Tensor attended)
    {
        _context.Device.Activate(Activation.Sigmoid, gate, default, gate);
        _context.Device.Scale(attended, 1, gate);
    }

    Tensor Main(Tensor query)
    {
        if (_keyMap is null) return query;
        var main = Heads(query.Rows, _keyMap.Outputs);
        _context.Device.MultiplyHeads(_keyMap, query.Slice(0, _keyMap.Inputs), main);
        return main;
    }

    Tensor Values(Tensor attended)
    {
        if (_valueMap is null) return attended.Split(1);
        var values = Heads(attended.Rows, _valueMap.Outputs);
        _context.Device.MultiplyHeads(_valueMap, attended, values);
        return values.Split(1);
    }

    Tensor Heads(int rows, int width) => _context.Scratch.Take(rows, _shape.QueryHeads * width).Split(_shape.QueryHeads);
}
