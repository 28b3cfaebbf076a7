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
