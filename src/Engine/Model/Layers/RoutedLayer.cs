using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>Router, chosen experts, their weighted sum, and the shared network.</summary>
sealed class RoutedLayer : FeedForwardLayer
{
    readonly RoutedFeedForward _plan;
    readonly LayerContext _context;
    readonly ProjectionLayer? _routerInput;
    readonly ProjectionLayer _router;
    readonly Tensor _choiceBias;
    readonly Stack? _gate;
    readonly Stack _up;
    readonly Stack _down;
    readonly FeedForwardLayer? _shared;
    readonly ProjectionLayer? _sharedGate;
    float[] _constant = [];

    public RoutedLayer(RoutedFeedForward plan, LayerContext context)
    {
        (_plan, _context) = (plan, context);
        _routerInput = plan.RouterInput is null ? null : new(plan.RouterInput, context);
        _router = new(new([plan.Router]), context);
        _choiceBias = plan.ChoiceBias is null ? default : context.Weights.Vector(plan.ChoiceBias);
        _gate = plan.Expert.Gate is null ? null : Bind(plan.Expert.Gate);
        _up = Bind(plan.Expert.Up);
        _down = Bind(plan.Expert.Down);
        _shared = plan.Shared is null ? null : Bind(plan.Shared, context);
        _sharedGate = plan.SharedGate is null ? null : new(new([plan.SharedGate]), context);
    }

    /// <summary>One of an expert's products, for all experts.</summary>
    readonly record struct Stack(Matrix Weights, Tensor Biases);

    public override Tensor Run(Tensor input)
    {
        var (device, scratch, chosen) = (_context.Device, _context.Scratch, _plan.Rule.Chosen);
        var routed = new RoutedExperts(scratch.Take(input.Rows, chosen).Address, scratch.Take(input.Rows, chosen));
        device.Route(_plan.Rule, _router.Run(_routerInput?.Run(input) ?? input), _choiceBias, routed);
        // Weighed at its input, an expert is summed at its output with weight one.
        var weights = routed.Weights;
        if (_plan.WeighsInput) routed = routed with { Weights = Filled(input.Rows, chosen, 1) };
        var up = Multiply(_up, input, routed, weights);
        var gate = _gate is null ? up : Multiply(_gate.Value, input, routed, weights);
        device.Activate(_plan.Expert.Activation, gate, _gate is null ? default : up, gate);
        var down = scratch.Take(input.Rows * chosen, _down.Weights.Outputs);
        device.MultiplyExperts(_down.Weights, gate, _down.Biases, routed, down);
        var sum = Shared(input);
        // The products of experts without weights are zero.
        device.CombineExperts(down, input, _plan.Skips ? _plan.Rule.Experts : _plan.Experts, routed, sum);
        return sum;
    }

    /// <summary>A product of the chosen experts on the rows, or on the rows times their weights: W (s x) = s (W x).</summary>
    Tensor Multiply(Stack stack, Tensor input, RoutedExperts routed, Tensor weights)
    {
        var result = _context.Scratch.Take(input.Rows * weights.Columns, stack.Weights.Outputs);
        _context.Device.MultiplyExperts(stack.Weights, input, stack.Biases, routed, result);
        if (_plan.WeighsInput) _context.Device.Scale(result, 1, Tensor.Matrix(weights.Address, result.Rows, 1));
        return result;
    }

    Tensor Shared(Tensor input)
    {
        if (_shared is null) return Filled(input.Rows, _down.Weights.Outputs, 0);
        var result = _shared.Run(input);
        if (_sharedGate is null) return result;
        var gate = _sharedGate.Run(input);
        _context.Device.Activate(Activation.Sigmoid, gate, default, gate);
        _context.Device.Scale(result, 1, gate);
        return result;
    }

    Tensor Filled(int rows, int columns, float value)
    {
        var tensor = _context.Scratch.Take(rows, columns);
        if (_constant.Length < rows * columns) _constant = new float[rows * columns];
        var values = _constant.AsSpan(0, rows * columns);
        values.Fill(value);
        _context.Device.Write(values, tensor);
        return tensor;
    }

    Stack Bind(Step.Linear linear)
    {
        if (_plan.WeighsInput && linear.Bias is not null && linear != _plan.Expert.Down)
            throw new CheckpointException($"{linear.Bias}: experts whose input is weighed have no bias there.");
        return new(_context.Weights.Experts(linear, _plan.Experts), _context.Weights.ExpertBiases(linear, _plan.Experts));
    }
}
