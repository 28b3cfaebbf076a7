using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>What the chains of one layer have in common: its states, and the rows that several of them begin with.</summary>
/// <param name="plan">The layer.</param>
/// <param name="context">What all layers share.</param>
/// <param name="view">Where a state of the layer lies.</param>
public sealed class LayerMemory(AttentionPlan plan, LayerContext context, Func<string, StateRows> view)
{
    readonly List<(string Name, ProjectionLayer From)> _shared = [];
    readonly Dictionary<string, Tensor> _rows = [];

    /// <summary>Binds the shared rows, which may begin with one another, to their weights.</summary>
    public LayerMemory Bound()
    {
        foreach (var row in plan.Shared) _shared.Add((row.Name, new(row.From, context, this)));
        return this;
    }

    /// <summary>Makes the shared rows of a step; they lie in scratch memory.</summary>
    public void Make(Tensor input)
    {
        foreach (var (name, from) in _shared) _rows[name] = from.Run(input);
    }

    /// <summary>A shared row.</summary>
    public Tensor Shared(string name) => _rows[name];

    /// <summary>Where a state lies.</summary>
    public StateRows State(string name) => view(name);

    /// <summary>From the rows of a step to what a state's update gives them in return.</summary>
    public ProjectionLayer.Stage Bind(string state)
    {
        var (update, rows) = (Update(state), view(state));
        return update switch
        {
            StateUpdate.Window window => source => Recall(window, rows, source),
            StateUpdate.Average average => source => Accumulate(new(average.Decay, 1 - average.Decay), rows, source),
            StateUpdate.Fold fold => source => Accumulate(new(1, 1, fold.Stride), rows, source),
            _ => throw new InvalidOperationException($"State '{state}' of kind {update.GetType().Name} is not updated by a row alone."),
        };
    }

    /// <summary>From the rows of a step to what they read of a memory that each of them has written.</summary>
    public ProjectionLayer.Stage Bind(Step.Delta delta)
    {
        if (Update(delta.State) is not StateUpdate.DeltaRule rule) throw new InvalidOperationException($"State '{delta.State}' is no memory of the delta rule.");
        ProjectionLayer query = new(delta.Query, context, this), key = new(delta.Key, context, this), value = new(delta.Value, context, this);
        ProjectionLayer decay = new(delta.LogDecay, context, this), strength = new(delta.Strength, context, this);
        var state = view(delta.State);
        return rows =>
        {
            var result = context.Scratch.Take(rows.Rows, rule.Heads * rule.ValueWidth);
            var parts = new DeltaRows(
                query.Run(rows).Split(rule.Heads), key.Run(rows).Split(rule.Heads), value.Run(rows).Split(rule.Heads), decay.Run(rows).Split(rule.Heads), strength.Run(rows));
            context.Device.Delta(parts, state, context.Step.Rows, context.Step.States, result.Split(rule.Heads));
            return result;
        };
    }

    StateUpdate Update(string name) => plan.States.FirstOrDefault(state => state.Name == name)?.Update
        ?? throw new InvalidOperationException($"The plan uses state '{name}', but keeps only {string.Join(", ", plan.States.Select(s => s.Name))}.");

    Tensor Recall(StateUpdate.Window window, StateRows state, Tensor source)
    {
        var result = context.Scratch.Take(source.Rows, source.Columns * (window.Before + 1));
        context.Device.Recall(source.Split(window.Heads), state, context.Step.Rows, context.Step.States, result.Split(window.Heads));
        return result;
    }

    Tensor Accumulate(RunningSum rule, StateRows state, Tensor source)
    {
        var result = context.Scratch.Take(source.Rows, source.Columns);
        context.Device.Accumulate(rule, source, state, context.Step.Rows, context.Step.States, result);
        return result;
    }
}
