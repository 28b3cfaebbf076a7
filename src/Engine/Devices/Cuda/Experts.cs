namespace Serving.Devices.Cuda;

/// <summary>The choice of experts and the sum of their outputs, as launches: <c>experts.cu</c> says how each is made.</summary>
sealed class Experts
{
    const int Threads = 256;
    const int Warp = 32;

    readonly CudaContext _context;
    readonly CudaFunction _route, _combine;

    /// <summary>The operations of a context.</summary>
    public Experts(CudaContext context)
    {
        _context = context;
        var module = context.Module("experts.cu");
        _route = module.Function("route");
        _combine = module.Function("combine_experts");
    }

    /// <summary>Chooses the experts of every row.</summary>
    public void Route(RoutingRule rule, Tensor logits, Tensor bias, RoutedExperts routed) => _context.Stream.Launch(
        _route, new(logits.Rows), Warp,
        new RouteArguments(
            logits, bias, routed.Weights, routed.Experts, rule.Experts, rule.Chosen, rule.Score, rule.Groups, rule.KeptGroups, rule.Rank,
            rule.Renormalize ? 1 : 0, rule.Scale),
        (2 * rule.Experts + rule.Groups + rule.Chosen) * sizeof(float));

    /// <summary>Adds each row's expert outputs, weighted.</summary>
    public void Combine(Tensor source, Tensor input, int experts, RoutedExperts routed, Tensor destination) => _context.Stream.Launch(
        _combine, new(destination.Rows, (destination.Columns + Threads - 1) / Threads), Threads,
        new CombineArguments(source, input, routed.Weights, destination, routed.Experts, experts));

    readonly record struct RouteArguments(
        Tensor Logits, Tensor Bias, Tensor Weights, nint Ids, int Experts, int Chosen, RouterScore Score, int Groups, int KeptGroups, GroupRank Rank,
        int Renormalize, float Scale);

    readonly record struct CombineArguments(Tensor Source, Tensor Input, Tensor Weights, Tensor Destination, nint Ids, int Experts);
}
