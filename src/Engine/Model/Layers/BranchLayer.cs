using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>One <see cref="Branch"/> of a layer: make the query, attend, project out.</summary>
sealed class BranchLayer
{
    readonly LayerContext _context;
    readonly ProjectionLayer _query;
    readonly ProjectionLayer? _gate;
    readonly ProjectionLayer _output;
    readonly Matrix? _keyMap;
    readonly Matrix? _valueMap;
    readonly Expansion? _expansion;
    readonly AttendShape _shape;
    readonly ScoreRule _rule;
    readonly AttendRows _cached;
    readonly int _pageGroup;
    readonly int _rotaryOffset;

    /// <summary>Binds a branch to its weights and the rows that it reads; see <see cref="AttentionLayer"/>.</summary>
    public BranchLayer(AttentionPlan plan, Branch branch, LayerContext context, Func<string, PagedRows> view, int pageGroup)
    {
        _context = context;
        _pageGroup = pageGroup;
        _query = new(branch.Query, context);
        _gate = branch.HeadGate is null ? null : new(branch.HeadGate, context);
        _output = new(branch.Output, context);
        _keyMap = branch.KeyMap is null ? null : context.Weights.KeyMap(branch.KeyMap, branch.Heads);
        _valueMap = branch.ValueMap is null ? null : context.Weights.ValueMap(branch.ValueMap, branch.Heads);
        if (plan.CanExpand && context.Expands) _expansion = new(context.Weights.Keys(branch.KeyMap!, branch.Heads), _valueMap!);
        _shape = plan.ShapeOf(branch);
        _rule = new(branch.Scale, branch.Softcap, plan.Rows.Window, plan.Rows.Chunk,
            branch.Sinks is null ? default : context.Weights.Vector(branch.Sinks));
        _cached = new(view(branch.Main), branch.Rotary is null ? default : view(branch.Rotary), branch.Value is null ? default : view(branch.Value));
        _rotaryOffset = branch.RotaryOffset;
    }

    /// <summary>Attention of every row of a step over rows that are written; the result lies in scratch memory.</summary>
    public Tensor Run(Tensor input, StepInput step)
    {
        var query = _query.Run(input).Split(_shape.QueryHeads);
        var rotary = _shape.RotaryWidth == 0 ? default : query.Slice(_rotaryOffset, _shape.RotaryWidth);
        var outputs = Heads(input.Rows, _valueMap?.Outputs ?? _shape.ValueWidth);
        if (_expansion is null) Absorbed(query, rotary, step.Rows, step.Pages[_pageGroup], outputs);
        else
            foreach (var segment in _context.Segments.All)
                Run(segment, query, rotary, outputs);
        if (_gate is not null) Close(_gate.Run(input), outputs);
        return _output.Run(outputs.Split(1));
    }

    void Run(StepSegment segment, Tensor query, Tensor rotary, Tensor outputs)
    {
        (query, rotary, outputs) = (segment.Of(query), segment.Of(rotary), segment.Of(outputs));
        var pages = segment.Pages[_pageGroup];
        if (!segment.Expanded) Absorbed(query, rotary, segment.Rows, pages, outputs);
        else _context.Device.AttendExpanded(_rule, _expansion!.Value, query.Slice(0, _keyMap!.Inputs), rotary, _cached, segment.Rows, pages, outputs);
    }

    void Absorbed(Tensor query, Tensor rotary, RowBatch rows, PageBatch pages, Tensor outputs)
    {
        var mark = _context.Scratch.Mark();
        var attended = _valueMap is null ? outputs : Heads(rows.Rows, _shape.ValueWidth);
        _context.Device.Attend(_shape, _rule, Main(query), rotary, _cached, rows, pages, attended);
        if (_valueMap is not null) _context.Device.MultiplyHeads(_valueMap, attended, outputs);
        _context.Scratch.Release(mark);
    }

    void Close(Tensor gate, Tensor attended)
    {
        if (gate.Columns == attended.Columns)
        {
            _context.Device.Activate(Activation.Sigmoid, gate, attended.Split(1), attended.Split(1));
            return;
        }
        _context.Device.Activate(Activation.Sigmoid, gate, default, gate);
        _context.Device.Scale(attended, 1, gate);
    }

    Tensor Main(Tensor query)
    {
        if (_keyMap is null) return query.Slice(0, _shape.MainWidth);
        var main = Heads(query.Rows, _keyMap.Outputs);
        _context.Device.MultiplyHeads(_keyMap, query.Slice(0, _keyMap.Inputs), main);
        return main;
    }

    Tensor Heads(int rows, int width) => _context.Scratch.Take(rows, _shape.QueryHeads * width).Split(_shape.QueryHeads);
}
