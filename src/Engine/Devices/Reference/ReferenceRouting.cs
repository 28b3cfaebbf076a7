namespace Serving.Devices.Reference;

/// <summary>The choice of experts for one row, step by step as the rule tells it.</summary>
static class ReferenceRouting
{
    /// <summary>Writes the chosen experts, best first, and their weights.</summary>
    public static void Route(RoutingRule rule, ReadOnlySpan<float> logits, ReadOnlySpan<float> bias, Span<int> experts, Span<float> weights)
    {
        var scores = Scores(rule.Score, logits);
        var ranks = new double[scores.Length];
        for (var i = 0; i < ranks.Length; i++) ranks[i] = scores[i] + (bias.IsEmpty ? 0 : bias[i]);

        // A rejected group's experts are left out, whatever their scores. The sort is stable: ties go to the lowest index.
        var size = rule.Experts / rule.Groups;
        var kept = Enumerable.Range(0, rule.Groups)
            .OrderByDescending(group => Rank(rule.Rank, ranks.AsSpan(group * size, size)))
            .Take(rule.KeptGroups).ToHashSet();
        var chosen = Enumerable.Range(0, rule.Experts)
            .Where(expert => kept.Contains(expert / size))
            .OrderByDescending(expert => ranks[expert])
            .Take(rule.Chosen).ToArray();

        var values = chosen.Select(expert => scores[expert]).ToArray();
        if (rule.Score == RouterScore.SoftmaxOfChosen) values = Softmax(values);
        var divisor = rule.Renormalize ? values.Sum() + 1e-20 : 1;
        for (var j = 0; j < chosen.Length; j++)
            (experts[j], weights[j]) = (chosen[j], (float)(values[j] / divisor * rule.Scale));
    }

    static double[] Scores(RouterScore score, ReadOnlySpan<float> logits)
    {
        var values = new double[logits.Length];
        for (var i = 0; i < values.Length; i++)
            values[i] = score == RouterScore.Sigmoid ? 1 / (1 + Math.Exp(-logits[i])) : logits[i];
        return score == RouterScore.Softmax ? Softmax(values) : values;
    }

    static double[] Softmax(double[] values)
    {
        var greatest = values.Max();
        var powers = values.Select(value => Math.Exp(value - greatest)).ToArray();
        var sum = powers.Sum();
        return [.. powers.Select(power => power / sum)];
    }

    static double Rank(GroupRank rank, ReadOnlySpan<double> group)
    {
        var sorted = group.ToArray();
        Array.Sort(sorted);
        return rank == GroupRank.TwoBest && sorted.Length > 1 ? sorted[^1] + sorted[^2] : sorted[^1];
    }
}
