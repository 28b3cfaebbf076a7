using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>The frequency pairs that a converted model's key heads keep (MHA2MLA, arXiv 2502.14837, section 3.1).</summary>
static class KeptPairs
{
    /// <summary>The rotary embedding of every key head: the kept pairs at their frequencies in the source model.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="keys">The section of the configuration.</param>
    /// <param name="groups">Key heads.</param>
    /// <param name="width">Values of a head of the source model.</param>
    /// <param name="kept">Pairs that a key head keeps.</param>
    public static RotaryPlan[] Of(AttentionContext layer, ModelConfig keys, int groups, int width, int kept)
    {
        var source = layer.Rotary?.Invoke(width) ?? throw layer.Config.Wrong("mha2mla", "set", "a source model whose heads turn");
        var half = width / 2;
        var (start, table) = (keys.Int("uniform_start_point", 0), keys.TextOrNull("qk_tensor_path"));
        if (start < 0) throw keys.Wrong("uniform_start_point", $"{start}", "0 or more");
        IEnumerable<int> All(int group) => keys.OneOf("partial_rope_version", "high", "low", "uniform", "2-norm", "mkl") switch
        {
            "high" => Enumerable.Range(0, kept),
            "low" => Enumerable.Range(half - kept, kept),
            "uniform" => Enumerable.Range(0, half).Where(pair => pair >= start && (pair - start) % Math.Max(1, half / kept) == 0),
            _ => Ranked(group),
        };
        IEnumerable<int> Ranked(int group)
        {
            var ranks = layer.Tensors.CompanionBytes(table ?? throw keys.Wrong("qk_tensor_path", "null", "the file of the ranks"), "rank");
            var first = (long)(layer.Layer * groups + group) * width;
            if (ranks.Length < first + width) throw keys.Wrong("qk_tensor_path", $"{ranks.Length} ranks", $"at least {first + width}");
            return Enumerable.Range(0, half).Where(pair => ranks[first + pair] < kept);
        }
        return [.. Enumerable.Range(0, groups).Select(group => Plan([.. All(group)]))];

        RotaryPlan Plan(int[] pairs) => pairs.Length == kept && source.Frequencies.Length == half && source.LongFrequencies.IsEmpty
            ? source with
            {
                Frequencies = [.. pairs.Select(pair => source.Frequencies[pair])],
                Components = source.Components.IsEmpty ? [] : [.. pairs.Select(pair => source.Components[pair])],
            }
            : throw keys.Wrong("rope_dim_for_mla", $"{2 * kept}", $"as many as its rule keeps, {2 * pairs.Length} of {width}");
    }
}
