namespace Serving.Devices.Cpu;

/// <summary>Chooses the experts of one row.</summary>
static unsafe class Router
{
    /// <summary>Writes the ids and weights of the chosen experts, best first; scores and ranks are scratch.</summary>
    public static void Choose(
        RoutingRule rule, float* logits, float* bias, Span<int> ids, Span<float> weights, Span<float> scores, Span<float> ranks)
    {
        Score(rule.Score, new ReadOnlySpan<float>(logits, rule.Experts), scores);
        for (var i = 0; i < rule.Experts; i++) ranks[i] = bias is null ? scores[i] : scores[i] + bias[i];
        if (rule.KeptGroups < rule.Groups) DropGroups(rule, ranks);
        for (var j = 0; j < rule.Chosen; j++)
        {
            ids[j] = Best(ranks);
            weights[j] = scores[ids[j]];
            ranks[ids[j]] = float.NegativeInfinity;
        }
        if (rule.Score == RouterScore.SoftmaxOfChosen) Score(RouterScore.Softmax, weights, weights);
        var sum = 1e-20f;
        foreach (var weight in weights) sum += weight;
        foreach (ref var weight in weights) weight = (rule.Renormalize ? weight / sum : weight) * rule.Scale;
    }

    static void Score(RouterScore score, ReadOnlySpan<float> logits, Span<float> scores)
    {
        if (score == RouterScore.SoftmaxOfChosen)
        {
            logits.CopyTo(scores);
            return;
        }
        if (score == RouterScore.Sigmoid)
        {
            for (var i = 0; i < logits.Length; i++) scores[i] = (float)(1 / (1 + Math.Exp(-logits[i])));
            return;
        }
        var most = float.NegativeInfinity;
        foreach (var logit in logits) most = MathF.Max(most, logit);
        var sum = 0.0;
        foreach (var logit in logits) sum += Math.Exp(logit - most);
        for (var i = 0; i < logits.Length; i++) scores[i] = (float)(Math.Exp(logits[i] - most) / sum);
    }

    // Groups that are not kept lose all their experts; the best group is found as often as groups are kept.
    static void DropGroups(RoutingRule rule, Span<float> ranks)
    {
        var size = rule.Experts / rule.Groups;
        Span<float> groups = stackalloc float[rule.Groups];
        for (var g = 0; g < rule.Groups; g++) groups[g] = RankOf(rule.Rank, ranks.Slice(g * size, size));
        for (var kept = 0; kept < rule.KeptGroups; kept++) groups[Best(groups)] = float.NaN;
        for (var g = 0; g < rule.Groups; g++)
            if (!float.IsNaN(groups[g])) ranks.Slice(g * size, size).Fill(float.NegativeInfinity);
    }

    static float RankOf(GroupRank rank, ReadOnlySpan<float> scores)
    {
        var (best, second) = (float.NegativeInfinity, float.NegativeInfinity);
        foreach (var score in scores)
        {
            if (score > best) (best, second) = (score, best);
            else if (score > second) second = score;
        }
        return rank == GroupRank.Best || scores.Length == 1 ? best : best + second;
    }

    // The lowest index of the greatest value; values that are no numbers are passed over.
    static int Best(ReadOnlySpan<float> values)
    {
        var best = -1;
        for (var i = 0; i < values.Length; i++)
            if (!float.IsNaN(values[i]) && (best < 0 || values[i] > values[best])) best = i;
        return Math.Max(best, 0);
    }
}
