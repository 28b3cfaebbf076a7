namespace Serving.Server.Commands;

/// <summary>A plan as a picture: bytes that a token leaves, as bars, for every scheme and for every type; beside each how many sequences fit.</summary>
static class PlanPicture
{
    public static string Of(CachePlan plan)
    {
        var own = plan.Own with { Name = "this model" };
        CacheFigures[] schemes = [.. plan.Schemes.Append(own).OrderByDescending(scheme => scheme.BytesPerToken)];
        return BarPicture.Of(
            $"What a token leaves in the cache of {plan.Model}",
            $"{plan.Layers} layers, {plan.Heads.Heads} heads of {plan.Heads.Width}; sequences of {plan.Context:N0} tokens in {PlanText.Size(plan.Options.Bytes)} of cache",
            [
                Chart($"The same heads with every scheme, as {PlanText.Type(plan)}", schemes, scheme => scheme == own),
                Chart($"This model ({plan.Own.Name}) in every type", plan.Types, type => type.Name == PlanText.Type(plan)),
            ]);
    }

    static BarChart Chart(string title, IReadOnlyList<CacheFigures> figures, Func<CacheFigures, bool> marked) => new(title, "bytes a token, all layers", "sequences that fit",
        [.. figures.Select(figure => new Bar(figure.Name, figure.BytesPerToken, $"{figure.BytesPerToken:#,0.##}")
        {
            Note = $"{figure.LargestBatch:N0}", IsMarked = marked(figure), Hint = $"{figure.Name}: {figure.Widths}",
        })]);
}
