using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>A block that is bound to its weights: x = Stream(x) + Scale * Result(After(Run(Before(x)))), added when AddsAfter more blocks have run.</summary>
sealed record BoundBlock(Norm? Before, Func<Tensor, StepInput, Tensor> Run, Norm? After, float Scale, int AddsAfter)
{
    /// <summary>Weights of the stream's channels; null for none.</summary>
    public ProjectionLayer? Stream { get; init; }

    /// <summary>Weights of the result's channels; null for none.</summary>
    public ProjectionLayer? Result { get; init; }
}

/// <summary>The hidden rows of a step, to which blocks add what they give.</summary>
sealed class ResidualStream(LayerContext context)
{
    readonly List<(Tensor Result, BoundBlock Block, int Left)> _waiting = [];
    (int Block, long Used) _mark;

    /// <summary>The hidden rows [rows x hidden].</summary>
    public Tensor Rows { get; private set; }

    /// <summary>Starts a step with embedded rows, which lie in scratch memory.</summary>
    public void Begin(Tensor rows) => Rows = rows;

    /// <summary>Runs a block and adds every result that is due. Scratch memory is released whenever no result waits.</summary>
    public void Run(BoundBlock block, StepInput step)
    {
        if (_waiting.Count == 0) _mark = context.Scratch.Mark();
        var input = Rows;
        if (block.Before is { } before) context.Device.Normalize(before, Rows, input = context.Scratch.Take(Rows.Rows, Rows.Columns));
        var result = block.Run(input, step);
        if (block.After is { } after) context.Device.Normalize(after, result, result);
        if (block.Result is { } channels) result = channels.Run(result);
        _waiting.Add((result, block, block.AddsAfter));
        AddDue();
        if (_waiting.Count == 0) context.Scratch.Release(_mark);
    }

    void AddDue()
    {
        for (var i = 0; i < _waiting.Count; i++)
        {
            var (result, block, left) = _waiting[i];
            if (left == 0)
            {
                if (block.Stream is { } channels) context.Device.Gather(channels.Run(Rows), context.Numbers(Rows.Rows), Rows);
                context.Device.Add(result, block.Scale, Rows);
                _waiting.RemoveAt(i--);
            }
            else
                _waiting[i] = (result, block, left - 1);
        }
    }
}
