using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>A <see cref="Projection"/> with its weights on the device.</summary>
public sealed class ProjectionLayer
{
    /// <summary>One step of the chain: reads the rows so far and gives the next ones, in place or in new scratch.</summary>
    public delegate Tensor Stage(Tensor rows);

    readonly Stage[] _stages;

    /// <summary>Binds a chain to its weights.</summary>
    /// <param name="plan">The chain.</param>
    /// <param name="context">What all layers share.</param>
    /// <param name="memory">States and shared rows of the chain's layer; null for a chain that uses none.</param>
    public ProjectionLayer(Projection plan, LayerContext context, LayerMemory? memory = null) =>
        _stages = [.. (plan.Steps is [var first, ..] && WorksInPlace(first) ? [new Step.Repeat(1), .. plan.Steps] : plan.Steps)
            .Select(step => Bind(step, context, memory))];

    /// <summary>Runs the chain. The result lies in scratch memory, unless the chain is empty; the input is not changed.</summary>
    public Tensor Run(Tensor rows)
    {
        foreach (var stage in _stages) rows = stage(rows);
        return rows;
    }

    /// <summary>A norm with its weights on the device.</summary>
    public static Norm Bind(Step.Normalize plan, LayerContext context) => new(
        plan.Kind, plan.Epsilon,
        plan.Made is { } made ? context.Weights.Row(made) : plan.Weight is null ? default : context.Weights.Vector(plan.Weight),
        plan.Bias is null ? default : context.Weights.Vector(plan.Bias),
        plan.Offset);

    static bool WorksInPlace(Step step) =>
        step is Step.Normalize or Step.Rotate or Step.Multiply or Step.MultiplyByPosition or Step.Activate or Step.Softmax or Step.MultiplyBy or Step.Weigh;

    static Stage Bind(Step step, LayerContext context, LayerMemory? memory) => step switch
    {
        Step.Take take => _ => Copied(memory!.Shared(take.Row).Slice(take.Offset, take.Width), context),
        Step.Carry carry => Bind(carry, context),
        Step.Carried carried => Bind(carried, context),
        Step.Remember remember => memory!.Bind(remember.State),
        Step.Delta delta => memory!.Bind(delta),
        Step.Beside beside => Beside([.. beside.Parts.Select(part => new ProjectionLayer(part, context, memory))], context),
        Step.Sum sum => Sum([.. sum.Parts.Select(part => new ProjectionLayer(part, context, memory))],
            sum.Weights is null ? null : new(sum.Weights, context, memory), context),
        Step.Convolve convolve => Bind(convolve, context),
        Step.Weigh weigh => Bind(weigh, context),
        Step.Linear linear => Bind(linear, context),
        Step.Normalize norm => BindInPlace(norm, context),
        Step.Rotate rotate => Bind(rotate, context),
        Step.LinearByHead byHead => Bind(byHead, context),
        Step.Gated gated => Bind(gated, context),
        Step.Repeat repeat => rows => Repeated(rows, repeat.Times, context),
        Step.SumOfParts sum => rows => Summed(rows, sum.Parts, context),
        Step.MultiplyByPosition multiply => Bind(multiply, context),
        Step.TokenIds => rows => Numbers(context.Ids(rows.Rows), context),
        Step.IsOneOf listed => rows => Numbers(context.AreOneOf(listed.Ids, rows.Rows), context),
        Step.TokenEmbedding embedding => Bind(embedding, context),
        Step.MultiplyBy times => Bind(times, context, memory),
        Step.Multiply multiply => rows =>
        {
            context.Device.Scale(rows, multiply.Factor, default);
            return rows;
        },
        Step.Activate activate => rows =>
        {
            context.Device.Activate(activate.Function, rows, default, rows);
            return rows;
        },
        Step.Softmax => rows =>
        {
            context.Device.Softmax(rows);
            return rows;
        },
        _ => throw new InvalidOperationException($"Projection step {step.GetType().Name} has no execution."),
    };

    static Stage Bind(Step.Carry carry, LayerContext context)
    {
        var number = context.Carried.Add(carry.Row, carry.Width);
        return rows =>
        {
            context.Device.Gather(rows, context.Numbers(rows.Rows), context.Carried.Of(number));
            return rows;
        };
    }

    static Stage Bind(Step.Carried carried, LayerContext context)
    {
        var number = context.Carried.Find(carried.Row);
        return _ => Copied(context.Carried.Of(number), context);
    }

    static Stage Bind(Step.Linear linear, LayerContext context)
    {
        var matrix = context.Weights.Matrix(linear);
        var bias = context.Weights.Bias(linear);
        return rows =>
        {
            var vectors = rows.Columns / linear.Inputs;
            var result = context.Scratch.Take(rows.Rows, vectors * linear.Outputs);
            context.Device.Multiply(matrix, Vectors(rows, linear.Inputs), bias, Vectors(result, linear.Outputs));
            return result;
        };
    }

    /// <summary>The vectors of packed rows as rows of their own.</summary>
    static Tensor Vectors(Tensor rows, int width) =>
        rows.Columns == width ? rows : Tensor.Matrix(rows.Address, rows.Rows * (rows.Columns / width), width);

    static Stage Bind(Step.LinearByHead byHead, LayerContext context)
    {
        var (matrix, heads) = (context.Weights.Made(byHead.Heads), byHead.Heads.Length);
        return rows =>
        {
            var result = context.Scratch.Take(rows.Rows, heads * matrix.Outputs);
            context.Device.MultiplyHeads(matrix, rows.Split(heads), result.Split(heads));
            return result;
        };
    }

    static Stage Bind(Step.Gated gated, LayerContext context)
    {
        var (gate, up) = (Bind(gated.Gate, context), Bind(gated.Up, context));
        return rows =>
        {
            var result = gate(rows);
            context.Device.Activate(gated.Rule, result, up(rows), result);
            return result;
        };
    }

    static Stage Beside(ProjectionLayer[] parts, LayerContext context)
    {
        var made = new Tensor[parts.Length];
        return rows =>
        {
            for (var i = 0; i < parts.Length; i++) made[i] = parts[i].Run(rows);
            var at = 0;
            foreach (var part in made) at += part.Columns;
            var result = context.Scratch.Take(rows.Rows, at);
            at = 0;
            foreach (var part in made)
            {
                context.Device.Gather(part, context.Numbers(rows.Rows), result.Slice(at, part.Columns));
                at += part.Columns;
            }
            return result;
        };
    }

    static Stage Sum(ProjectionLayer[] parts, ProjectionLayer? weights, LayerContext context) => rows =>
    {
        var (factors, result) = (weights?.Run(rows) ?? default, default(Tensor));
        for (var i = 0; i < parts.Length; i++)
        {
            var part = Copied(parts[i].Run(rows), context);
            if (!factors.IsEmpty) context.Device.Scale(part, 1, factors.Slice(i, 1));
            if (i == 0) result = part;
            else context.Device.Add(part, 1, result);
        }
        return result;
    };

    static Stage Bind(Step.Convolve convolve, LayerContext context)
    {
        var weights = context.Weights.Row(convolve.Weights);
        var bias = convolve.Bias is null ? default : context.Weights.Row(convolve.Bias);
        return rows =>
        {
            var result = context.Scratch.Take(rows.Rows, rows.Columns / convolve.Taps);
            context.Device.Convolve(rows.Split(convolve.Heads), weights, bias, result.Split(convolve.Heads));
            return result;
        };
    }

    static Stage Bind(Step.Weigh weigh, LayerContext context)
    {
        var (table, ofPosition, ofRow) = (context.Positions.Add(weigh.Table), Bind(weigh.OfPosition, context), Bind(weigh.OfRow, context));
        return rows =>
        {
            var factors = context.Scratch.Take(rows.Rows, 1);
            context.Device.Dot(ofPosition(context.Positions.Of(table, rows.Rows)), ofRow(rows), factors);
            context.Device.Activate(Activation.Sigmoid, factors, default, factors);
            context.Device.Scale(rows, 1, factors);
            return rows;
        };
    }

    static Tensor Copied(Tensor rows, LayerContext context)
    {
        var result = context.Scratch.Take(rows.Rows, rows.Columns);
        context.Device.Gather(rows, context.Numbers(rows.Rows), result);
        return result;
    }

    static Tensor Numbers(ReadOnlySpan<float> ofRows, LayerContext context)
    {
        var result = context.Scratch.Take(ofRows.Length, 1);
        context.Device.Write(ofRows, result);
        return result;
    }

    static Stage Bind(Step.TokenEmbedding embedding, LayerContext context)
    {
        var table = context.Weights.Matrix(new(embedding.Weight, embedding.Ids, embedding.Width));
        return rows =>
        {
            var result = context.Scratch.Take(rows.Rows, embedding.Width);
            context.Device.Embed(table, context.Step.Tokens.AsSpan(0, rows.Rows), 1, result);
            return result;
        };
    }

    static Stage Bind(Step.MultiplyBy times, LayerContext context, LayerMemory? memory)
    {
        var factors = new ProjectionLayer(times.Factors, context, memory);
        return rows =>
        {
            context.Device.Scale(rows.Split(rows.Columns), 1, factors.Run(rows));
            return rows;
        };
    }

    static Tensor Repeated(Tensor rows, int times, LayerContext context)
    {
        var result = context.Scratch.Take(rows.Rows, times * rows.Columns);
        for (var i = 0; i < times; i++)
            context.Device.Gather(rows, context.Numbers(rows.Rows), result.Slice(i * rows.Columns, rows.Columns));
        return result;
    }

    static Tensor Summed(Tensor rows, int parts, LayerContext context)
    {
        var width = rows.Columns / parts;
        var result = context.Scratch.Take(rows.Rows, width);
        context.Device.Gather(rows.Slice(0, width), context.Numbers(rows.Rows), result);
        for (var i = 1; i < parts; i++) context.Device.Add(rows.Slice(i * width, width), 1, result);
        return result;
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
