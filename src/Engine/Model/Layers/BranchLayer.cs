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
    readonly bool _needsKeys;
    readonly int _keyWidth;
    readonly int _outputWidth;
    readonly int? _angles;
    readonly bool _interleaved;
    readonly ScoreRule _rule;
    readonly AttendRows _cached;
    readonly int _pageGroup;
    readonly int _rotaryOffset;

    /// <summary>Binds a branch to its weights and the rows that it reads; see <see cref="AttentionLayer"/>.</summary>
    public BranchLayer(AttentionPlan plan, Branch branch, LayerContext context, Func<string, PagedRows> view, int pageGroup, LayerMemory memory)
    {
        _context = context;
        _pageGroup = pageGroup;
        _query = new(branch.Query, context, memory);
        _gate = branch.HeadGate is null ? null : new(branch.HeadGate, context, memory);
        _output = new(branch.Output, context);
        _needsKeys = branch.NeedsKeys;
        _keyWidth = branch.KeyMap?.Rows ?? 0;
        _keyMap = branch.KeyMap is null || _needsKeys ? null : context.Weights.KeyMap(branch.KeyMap, branch.Heads);
        var valueMap = branch.ValueMap is null ? null : context.Weights.ValueMap(branch.ValueMap, branch.Heads);
        // Values that are rebuilt beside keys need no map behind them.
        var rebuilds = _needsKeys && branch.Value is null;
        _valueMap = rebuilds ? null : valueMap;
        if (_needsKeys) _expansion = new(context.Weights.Keys(branch.KeyMap!, branch.Heads), rebuilds ? valueMap : null, Bind(branch));
        else if (plan.CanExpand && context.Expands) _expansion = new(context.Weights.Keys(branch.KeyMap!, branch.Heads), _valueMap!);
        if (branch.Turn is { } turn) (_angles, _interleaved) = (context.Positions.AddOfRows(turn), turn.Interleaved);
        _shape = plan.ShapeOf(branch);
        _outputWidth = valueMap?.Outputs ?? _shape.OutputWidth;
        _rule = new(branch.Scale, branch.Softcap, plan.Rows.Window, plan.Rows.Chunk,
            branch.Sinks is null ? default : context.Weights.Vector(branch.Sinks));
        _cached = new(view(branch.Main), Rows(branch.Rotary), Rows(branch.Value), Rows(branch.SharedValue), Rows(branch.Gate?.Ids ?? branch.Classes?.Stream));
        _rotaryOffset = branch.RotaryOffset;

        PagedRows Rows(string? stream) => stream is null ? default : view(stream);
    }

    RowGate? Bind(Branch branch)
    {
        if (branch.Gate is not { } gate) return null;
        var (weights, embedding, heads) = (_context.Weights, gate.Embedding, branch.Heads);
        var (key, value) = (gate.Keys.Rows, gate.Values.Rows);
        return new(
            weights.Matrix(new(embedding.Weight, embedding.Ids, embedding.Width)), weights.Keys(gate.Keys, heads), weights.Keys(gate.Values, heads),
            new(gate.Span, gate.Epsilon, Part(gate.Weight, 0, key), Part(gate.Bias, 0, key), Part(gate.Weight, key, value), Part(gate.Bias, key, value)));

        Tensor Part(MadeMatrix? all, int first, int width) => all is null ? default : weights.Row(new MadeMatrix.Part(all, 0, heads, first, width));
    }

    ScoreRule Rule => _angles is { } table ? _rule with { Turn = new(_context.Positions.OfRows(table), _interleaved) } : _rule;

    /// <summary>Attention of every row of a step over rows that are written; the result lies in scratch memory.</summary>
    public Tensor Run(Tensor input, StepInput step)
    {
        var query = _query.Run(input).Split(_shape.QueryHeads);
        var rotary = _shape.RotaryWidth == 0 ? default : query.Slice(_rotaryOffset, _shape.RotaryWidth);
        var outputs = Heads(input.Rows, _outputWidth);
        if (_expansion is null || _needsKeys) Read(query, rotary, step.Rows, step.Pages[_pageGroup], outputs);
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
        if (!segment.Expanded) Read(query, rotary, segment.Rows, pages, outputs);
        else _context.Device.AttendExpanded(Rule, _expansion!.Value, query.Slice(0, _keyWidth), rotary, _cached, segment.Rows, pages, outputs);
    }

    // The value map comes after; so do keys where the query can take their map up, else they are rebuilt.
    void Read(Tensor query, Tensor rotary, RowBatch rows, PageBatch pages, Tensor outputs)
    {
        var mark = _context.Scratch.Mark();
        var attended = _valueMap is null ? outputs : Heads(rows.Rows, _shape.OutputWidth);
        if (_needsKeys) _context.Device.AttendExpanded(Rule, _expansion!.Value, query.Slice(0, _keyWidth), rotary, _cached, rows, pages, attended);
        else _context.Device.Attend(_shape, Rule, Main(query), rotary, _cached, rows, pages, attended);
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
