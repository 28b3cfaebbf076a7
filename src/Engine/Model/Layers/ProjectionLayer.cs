using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>A <see cref="Projection"/> with its weights on the device.</summary>
public sealed class ProjectionLayer
{
    /// <summary>One step of the chain: reads the rows so far and gives the next ones, in place or in new scratch.</summary>
    delegate Tensor Stage(Tensor rows);

    readonly Stage[] _stages;

    /// <summary>Binds a chain to its weights.</summary>
    public ProjectionLayer(Projection plan, LayerContext context) => _stages = [.. plan.Steps.Select(step => Bind(step, context))];

    /// <summary>Runs the chain. The result lies in scratch memory, unless the chain is empty; the input is not changed.</summary>
    public Tensor Run(Tensor rows)
    {
        foreach (var stage in _stages) rows = stage(rows);
        return rows;
    }

    /// <summary>A norm with its weights on the device.</summary>
    public static Norm Bind(Step.Normalize plan, LayerContext context) => new(
        plan.Kind, plan.Epsilon,
        plan.Weight is null ? default : context.Weights.Vector(plan.Weight),
        plan.Bias is null ? default : context.Weights.Vector(plan.Bias),
        plan.Offset);

    static Stage Bind(Step step, LayerContext context) => step switch
    {
        Step.Linear linear => Bind(linear, context),
        Step.Normalize norm => BindInPlace(norm, context),
        Step.Rotate rotate => Bind(rotate, context),
        Step.MultiplyByPosition multiply => Bind(multiply, context),
        Step.Multiply multiply => rows =>
        {
            context.Device.Scale(rows, multiply.Factor, default);
            return rows;
        },
        _ => throw new InvalidOperationException($"Projection step {step.GetType().Name} has no execution."),
    };

    static Stage Bind(Step.Linear linear, LayerContext context)
    {
        var matrix = context.Weights.Matrix(linear);
        var bias = context.Weights.Bias(linear);
        return rows =>
        {
            var result = context.Scratch.Take(rows.Rows, linear.Outputs);
            context.Device.Multiply(matrix, rows, bias, result);
            return result;
        };
    }

    static Stage BindInPlace(Step.Normalize plan, LayerContext context)
    {
        var norm = Bind(plan, context);
        return rows =>
        {
            var vectors = rows.Split(rows.Columns / plan.Width);
            context.Device.Normalize(norm, vectors, vectors);
            return rows;
        };
    }

    static Stage Bind(Step.MultiplyByPosition multiply, LayerContext context)
    {
        var table = context.Positions.Add(multiply.Factor);
        return rows =>
        {
            context.Device.Scale(rows, 1, context.Positions.Of(table, rows.Rows));
            return rows;
        };
    }

    static Stage Bind(Step.Rotate rotate, LayerContext context)
    {
        var table = context.Positions.Add(rotate.Rotary);
        return rows =>
        {
            var vectors = rows.Split(rows.Columns / rotate.Width).Slice(rotate.Offset, rotate.Rotary.Width);
            context.Device.Rotate(vectors, context.Positions.Of(table, rows.Rows), rotate.Rotary.Interleaved);
            return rows;
        };
    }
}
