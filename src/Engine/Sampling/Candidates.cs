using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Sampling;

/// <summary>The tokens that are still in the running, in the order of their ids, with room for a whole vocabulary that is used again for each row.</summary>
sealed class Candidates
{
    const int LeastBuffer = 128;

    int[] _ids = [];
    float[] _logits = [];
    double[] _weights = [];
    ulong[] _keys = [];
    ulong[] _ranking = [];          // the cut reorders these two, and leaves the tokens in the order of their ids
    double[] _rankingWeights = [];

    /// <summary>How many tokens are in the running.</summary>
    public int Count { get; private set; }

    /// <summary>Their ids, ascending unless Rank came last.</summary>
    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, Count);

    /// <summary>The sum of their weights, as of the last Weigh or cut.</summary>
    public double Total { get; private set; }

    /// <summary>Makes room for rows of this length.</summary>
    public void Reserve(int vocabulary)
    {
        if (_ids.Length >= vocabulary)
            return;
        _ids = new int[vocabulary];
        _logits = new float[vocabulary];
        _weights = new double[vocabulary];
        _keys = new ulong[vocabulary];
        _ranking = new ulong[vocabulary];
        _rankingWeights = new double[vocabulary];
    }

    /// <summary>Takes the tokens of a row whose logit is at least the floor, and of these only the given number of the largest.</summary>
    public void Take(ReadOnlySpan<float> row, int most, float floor)
    {
        Count = 0;
        var buffer = (int)Math.Min(int.MaxValue, Math.Max(4L * most, LeastBuffer));
        var vectors = MemoryMarshal.Cast<float, Vector512<float>>(row);
        for (var i = 0; i < vectors.Length; i++)
        {
            var hits = Vector512.GreaterThanOrEqual(vectors[i], Vector512.Create(floor)).ExtractMostSignificantBits();
            if (hits == 0)
                continue;
            if (Count > buffer - Vector512<float>.Count)
            {
                // The kept tokens have lower ids, so from here on an equal logit is too little.
                floor = MathF.BitIncrement(KeepTop(most));
            }

            for (; hits != 0; hits &= hits - 1)
                Append(row, i * Vector512<float>.Count + System.Numerics.BitOperations.TrailingZeroCount(hits));
        }

        for (var i = vectors.Length * Vector512<float>.Count; i < row.Length; i++)
        {
            if (row[i] >= floor)
                Append(row, i);
        }

        if (Count > most)
            KeepTop(most);
    }

    /// <summary>Gives every token its weight.</summary>
    public void Weigh(in Weighing weighing)
    {
        RowWeights.Fill(_logits.AsSpan(0, Count), weighing, _weights);
        AddUp();
    }

    /// <summary>Keeps the most likely tokens whose weights reach the target.</summary>
    public void KeepLikely(double target)
    {
        for (var i = 0; i < Count; i++)
            _keys[i] = Key(_logits[i], _ids[i]);
        Cut(target);
    }

    /// <summary>Keeps the tokens of most typical probability whose share of the weight reaches the given one, at least one token.</summary>
    public void KeepTypical(float share, in Weighing weighing)
    {
        // With p = exp(t) / Z the information is ln Z - t and the entropy ln Z - mean t: their distance is that of t from its mean.
        var sum = 0.0;
        for (var i = 0; i < Count; i++)
            sum += _weights[i] == 0 ? 0 : _weights[i] * Exponent(i, weighing);
        var mean = sum / Total;
        for (var i = 0; i < Count; i++)
            _keys[i] = Key(-(float)Math.Abs(Exponent(i, weighing) - mean), _ids[i]);
        Cut(Math.Max(share * Total, double.Epsilon));
    }

    /// <summary>The token at which the running weight, in the order of ids, passes this share of the total.</summary>
    public int Draw(double uniform) => _ids[Position(_weights.AsSpan(0, Count), 0, uniform * Total)];

    /// <summary>Puts the tokens in descending order of their logits, equals by ascending id.</summary>
    public void Rank()
    {
        var keys = _keys.AsSpan(0, Count);
        for (var i = 0; i < Count; i++)
            keys[i] = ulong.MaxValue - Key(_logits[i], _ids[i]);
        keys.Sort(_ids.AsSpan(0, Count));
    }

    /// <summary>The first index at which the running sum, what came before included, exceeds the target; else the last that weighs anything.</summary>
    public static int Position(ReadOnlySpan<double> weights, double before, double target)
    {
        var last = 0;
        var running = before;
        for (var i = 0; i < weights.Length; i++)
        {
            if (weights[i] == 0)
                continue;
            last = i;
            running += weights[i];
            if (running > target)
                break;
        }

        return last;
    }

    static double Exponent(float logit, in Weighing weighing) => (double)(logit - weighing.Peak) * weighing.InverseTemperature;

    double Exponent(int index, in Weighing weighing) => Exponent(_logits[index], weighing);

    /// <summary>Ranks by logit, equals by ascending id: a float's bits, turned so that they order as unsigned numbers, above the id's complement.</summary>
    static ulong Key(float logit, int id)
    {
        var bits = BitConverter.SingleToUInt32Bits(logit + 0f);      // + 0 makes -0 equal to 0
        var ordered = bits ^ ((uint)((int)bits >> 31) | 0x80000000);
        return ((ulong)ordered << 32) | ~(uint)id;
    }

    void Append(ReadOnlySpan<float> row, int id)
    {
        _ids[Count] = id;
        _logits[Count++] = row[id];
    }

    /// <summary>Keeps the given number of the largest logits and returns the least of them.</summary>
    float KeepTop(int most)
    {
        _weights.AsSpan(0, Count).Fill(1);
        KeepLikely(most);
        var least = float.PositiveInfinity;
        foreach (var logit in _logits.AsSpan(0, Count))
            least = Math.Min(least, logit);
        return least;
    }

    void Cut(double target)
    {
        _keys.AsSpan(0, Count).CopyTo(_ranking);
        _weights.AsSpan(0, Count).CopyTo(_rankingWeights);
        var worst = WeightedCut.Find(_ranking.AsSpan(0, Count), _rankingWeights.AsSpan(0, Count), target);
        var (ids, logits, weights, keys) = (_ids, _logits, _weights, _keys);
        var kept = 0;
        for (var i = 0; i < Count; i++)
        {
            // Written in either case: a branch would often be mispredicted.
            (ids[kept], logits[kept], weights[kept]) = (ids[i], logits[i], weights[i]);
            kept += keys[i] >= worst ? 1 : 0;
        }

        Count = kept;
        AddUp();
    }

    void AddUp() => Total = RowWeights.Sum(_weights.AsSpan(0, Count));
}
