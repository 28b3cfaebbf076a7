using Serving.Sampling;

namespace Serving.Tests;

/// <summary>
/// The sampler as its definition reads: the whole vocabulary, doubles, full sorts. Knows nothing of thresholds, keys or vectors.
/// Cuts and draws that fall within rounding of a boundary are reported as unclear, because single precision may decide them either way.
/// </summary>
sealed class NaiveSampler(SamplingOptions options, int[] prompt, int[] generated, Func<int, bool> allowed)
{
    const double Near = 2e-6;

    public sealed record Kept(int Id, float Logit, double Weight);

    public bool Unclear { get; private set; }

    /// <summary>The row after bias, masks and penalties, in single precision as the model gave it.</summary>
    public float[] Edit(float[] logits)
    {
        var row = (float[])logits.Clone();
        for (var id = 0; id < row.Length; id++)
        {
            row[id] += options.LogitBias.GetValueOrDefault(id);
            var stopped = generated.Length < options.MinTokens && options.StopTokenIds.Contains(id);
            if (!allowed(id) || stopped || options.BannedTokenIds.Contains(id) || options.AllowedTokenIds is { } list && !list.Contains(id))
                row[id] = float.NegativeInfinity;
            var times = generated.Count(t => t == id);
            if (times > 0 || prompt.Contains(id))
                row[id] = row[id] > 0 ? row[id] / options.RepetitionPenalty : row[id] * options.RepetitionPenalty;
            if (times > 0)
                row[id] -= options.PresencePenalty;
            row[id] -= options.FrequencyPenalty * times;
        }

        return row;
    }

    /// <summary>The tokens that survive every filter, in the order of ids; none when all are masked.</summary>
    public List<Kept> Keep(float[] logits)
    {
        Unclear = false;
        var row = Edit(logits);
        var best = row.Max();
        var ranked = row.Select((x, id) => new Kept(id, x, Math.Exp(((double)x - best) / Math.Max(options.Temperature, 1e-300))))
            .Where(t => t.Logit > float.NegativeInfinity)
            .OrderByDescending(t => t.Logit).ThenBy(t => t.Id).ToList();
        if (ranked.Count == 0 || options.Temperature == 0)
            return ranked.Take(1).ToList();
        Unclear |= ranked.Any(t => Math.Abs(t.Weight - options.MinP) < Near && t.Logit != best);
        ranked = ranked.Where(t => t.Weight >= options.MinP).ToList();
        if (options.TopK > 0)
            ranked = ranked.Take(options.TopK).ToList();
        if (options.TypicalP < 1)
            ranked = Typical(ranked);
        if (options.TopP < 1)
            ranked = Smallest(ranked, options.TopP);
        return ranked.OrderBy(t => t.Id).ToList();
    }

    /// <summary>The token at which the cumulated probability, by id, passes the uniform number; null when rounding may decide.</summary>
    public static int? Draw(List<Kept> kept, double uniform)
    {
        var total = kept.Sum(t => t.Weight);
        var cumulated = 0.0;
        foreach (var token in kept)
        {
            cumulated += token.Weight / total;
            if (Math.Abs(cumulated - uniform) < Near * 10)
                return null;
            if (cumulated > uniform)
                return token.Id;
        }

        return null;
    }

    List<Kept> Typical(List<Kept> ranked)
    {
        var total = ranked.Sum(t => t.Weight);
        double Information(Kept t) => t.Weight == 0 ? double.PositiveInfinity : -Math.Log(t.Weight / total);
        var entropy = ranked.Sum(t => t.Weight == 0 ? 0 : t.Weight / total * Information(t));
        double Distance(Kept t) => Math.Abs(Information(t) - entropy);
        var typical = ranked.OrderBy(Distance).ThenBy(t => t.Id).ToList();
        var kept = Smallest(typical, options.TypicalP);
        var (last, next) = (kept[^1], typical.ElementAtOrDefault(kept.Count));
        Unclear |= next is not null && next.Logit != last.Logit && Distance(next) - Distance(last) < Near;
        return kept.OrderByDescending(t => t.Logit).ThenBy(t => t.Id).ToList();
    }

    List<Kept> Smallest(List<Kept> ranked, double share)
    {
        var total = ranked.Sum(t => t.Weight);
        var cumulated = 0.0;
        var count = 0;
        while (count < ranked.Count && (count == 0 || cumulated < share * total))
        {
            cumulated += ranked[count++].Weight;
            Unclear |= Math.Abs(cumulated / total - share) < Near && count < ranked.Count;
        }

        return ranked.Take(count).ToList();
    }
}
