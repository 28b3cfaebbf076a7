using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>Any <see cref="AttentionPlan"/> on any device: write the token's rows, read them branch by branch, add up what branches give.</summary>
public sealed class AttentionLayer
{
    readonly LayerContext _context;
    readonly LayerMemory _memory;
    readonly (ProjectionLayer From, PagedRows Rows)[] _streams;
    readonly BranchLayer[] _branches;
    readonly ProjectionLayer? _weights;
    readonly ProjectionLayer? _output;
    readonly ProjectionLayer? _recurrent;
    readonly int _pageGroup;

    /// <summary>Binds a plan to its weights and its part of the cache.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="context">What all layers share.</param>
    /// <param name="view">The cached rows of a stream of this layer.</param>
    /// <param name="pageGroup">Which page tables its rows are addressed by.</param>
    /// <param name="memory">Its states and shared rows.</param>
    public AttentionLayer(AttentionPlan plan, LayerContext context, Func<string, PagedRows> view, int pageGroup, LayerMemory memory)
    {
        (_context, _memory) = (context, memory.Bound());
        _pageGroup = pageGroup;
        _streams =
        [
            .. plan.Streams.Where(stream => stream.OwnedBy is null)
                .Select(stream => (new ProjectionLayer(stream.From, context, memory), view(stream.Name))),
        ];
        _branches = [.. plan.Branches.Select(branch => new BranchLayer(plan, branch, context, view, pageGroup, memory))];
        _recurrent = plan.Recurrent is null ? null : new(plan.Recurrent, context, memory);
        if (plan.Combine is not { } combine) return;
        _weights = new(combine.Weights, context, memory);
        _output = combine.Output is null ? null : new(combine.Output, context);
    }

    /// <summary>Attention of every row of a step; the result lies in scratch memory.</summary>
    public Tensor Run(Tensor input, StepInput step)
    {
        var device = _context.Device;
        _memory.Make(input);
        foreach (var (from, rows) in _streams)
            device.WriteRows(from.Run(input).Split(rows.Groups), rows, step.Rows, step.Pages[_pageGroup]);
        if (_recurrent is not null) return _recurrent.Run(input);
        var weights = _weights?.Run(input) ?? default;
        Tensor sum = default;
        for (var i = 0; i < _branches.Length; i++)
        {
            var result = _branches[i].Run(input, step);
            if (!weights.IsEmpty) device.Scale(result, 1, weights.Slice(i, 1));
            if (sum.IsEmpty) sum = result;
            else device.Add(result, 1, sum);
        }
        return _output is null ? sum : _output.Run(sum);
    }
}
