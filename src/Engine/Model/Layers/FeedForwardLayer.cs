using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>A <see cref="FeedForwardPlan"/> with its weights on the device.</summary>
public abstract class FeedForwardLayer
{
    /// <summary>Binds a plan.</summary>
    public static FeedForwardLayer Bind(FeedForwardPlan plan, LayerContext context) => plan switch
    {
        DenseFeedForward dense => new DenseLayer(dense, context),
        RoutedFeedForward routed => new RoutedLayer(routed, context),
        _ => throw new InvalidOperationException($"Feed-forward {plan.GetType().Name} has no execution."),
    };

    /// <summary>The network on every row; the result lies in scratch memory.</summary>
    public abstract Tensor Run(Tensor input);
}

/// <summary>Gate, up, activation, down.</summary>
sealed class DenseLayer(DenseFeedForward plan, LayerContext context) : FeedForwardLayer
{
    readonly ProjectionLayer? _gate = plan.Gate is null ? null : new(new([plan.Gate]), context);
    readonly ProjectionLayer _up = new(new([plan.Up]), context);
    readonly ProjectionLayer _down = new(new([plan.Down]), context);

    public override Tensor Run(Tensor input)
    {
        var up = _up.Run(input);
        var gate = _gate?.Run(input) ?? up;
        context.Device.Activate(plan.Activation, gate, _gate is null ? default : up, gate);
        return _down.Run(gate);
    }
}

/// <summary>Router, chosen experts, their weighted sum, and the shared network.</summary>
sealed class RoutedLayer : FeedForwardLayer
{
    readonly RoutedFeedForward _plan;
    readonly LayerContext _context;
    readonly ProjectionLayer _router;
    readonly Tensor _choiceBias;
    readonly Matrix? _gate;
    readonly Matrix _up;
    readonly Matrix _down;
    readonly FeedForwardLayer? _shared;
    float[] _zeros = [];

    public RoutedLayer(RoutedFeedForward plan, LayerContext context)
    {
        _plan = plan;
        _context = context;
        _router = new(new([plan.Router]), context);
        _choiceBias = plan.ChoiceBias is null ? default : context.Weights.Vector(plan.ChoiceBias);
        _gate = plan.Expert.Gate is null ? null : context.Weights.Experts(plan.Expert.Gate, plan.Experts);
        _up = context.Weights.Experts(plan.Expert.Up, plan.Experts);
        _down = context.Weights.Experts(plan.Expert.Down, plan.Experts);
        _shared = plan.Shared is null ? null : Bind(plan.Shared, context);
    }

    public override Tensor Run(Tensor input)
    {
        var (device, scratch, chosen) = (_context.Device, _context.Scratch, _plan.Rule.Chosen);
        var routed = new RoutedExperts(scratch.Take(input.Rows, chosen).Address, scratch.Take(input.Rows, chosen));
        device.Route(_plan.Rule, _router.Run(input), _choiceBias, routed);
        var up = scratch.Take(input.Rows * chosen, _up.Outputs);
        device.MultiplyExperts(_up, input, routed, up);
        var gate = up;
        if (_gate is not null) device.MultiplyExperts(_gate, input, routed, gate = scratch.Take(input.Rows * chosen, _gate.Outputs));
        device.Activate(_plan.Expert.Activation, gate, _gate is null ? default : up, gate);
        var down = scratch.Take(input.Rows * chosen, _down.Outputs);
        device.MultiplyExperts(_down, gate, routed, down);
        var sum = _shared?.Run(input) ?? Zeroed(input);
        device.CombineExperts(down, routed, sum);
        return sum;
    }

    Tensor Zeroed(Tensor input)
    {
        var zero = _context.Scratch.Take(input.Rows, _down.Outputs);
        if (_zeros.Length < input.Rows * _down.Outputs) _zeros = new float[input.Rows * _down.Outputs];
        _context.Device.Write(_zeros.AsSpan(0, input.Rows * _down.Outputs), zero);
        return zero;
    }
}
