using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Sampling;

/// <summary>What is done to the logits before any token is ruled out by probability: biases, masks, then penalties.</summary>
sealed class LogitEdits
{
    const int WordBits = 64;
    static readonly Vector512<int> LaneBits = Vector512.Create(
        1, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15);

    ulong[] _allowed = [];
    ulong[] _listed = [];

    /// <summary>Makes room for rows of this length.</summary>
    public void Reserve(int vocabulary)
    {
        var words = (vocabulary + WordBits - 1) / WordBits;
        if (_allowed.Length >= words)
            return;
        _allowed = new ulong[words];
        _listed = new ulong[words];
    }

    /// <summary>Whether anything would change a row.</summary>
    public static bool Wanted(SamplingOptions options, TokenHistory history, ITokenConstraint? constraint) =>
        constraint is not null
        || options.LogitBias.Count > 0
        || options.AllowedTokenIds is not null
        || options.BannedTokenIds.Length > 0
        || StopsAreMasked(options, history)
        || options.RepetitionPenalty != 1
        || (HasGeneratedPenalty(options) && history.Generated > 0);

    /// <summary>Changes the row in place; ids outside it are left alone.</summary>
    public void Apply(Span<float> row, SamplingOptions options, TokenHistory history, ITokenConstraint? constraint)
    {
        foreach (var (id, bias) in options.LogitBias)
        {
            if ((uint)id < (uint)row.Length)
                row[id] += bias;
        }

        if (constraint is not null || options.AllowedTokenIds is not null)
            Mask(row, AllowedMask(row.Length, options, constraint));
        Ban(row, options.BannedTokenIds.AsSpan());
        if (StopsAreMasked(options, history))
            Ban(row, options.StopTokenIds.AsSpan());
        if (options.RepetitionPenalty != 1 || HasGeneratedPenalty(options))
            Penalise(row, options, history);
    }

    /// <summary>Whether stop tokens may not be chosen yet.</summary>
    public static bool StopsAreMasked(SamplingOptions options, TokenHistory history) =>
        history.Generated < options.MinTokens && options.StopTokenIds.Length > 0;

    /// <summary>Whether generated tokens are treated otherwise than those of the prompt.</summary>
    public static bool HasGeneratedPenalty(SamplingOptions options) => options.PresencePenalty != 0 || options.FrequencyPenalty != 0;

    static void Ban(Span<float> row, ReadOnlySpan<int> ids)
    {
        foreach (var id in ids)
        {
            if ((uint)id < (uint)row.Length)
                row[id] = float.NegativeInfinity;
        }
    }

    static void Penalise(Span<float> row, SamplingOptions options, TokenHistory history)
    {
        foreach (var (id, count) in history.Counts)
        {
            if ((uint)id >= (uint)row.Length || count == default)
                continue;
            ref var logit = ref row[id];
            logit = logit > 0 ? logit / options.RepetitionPenalty : logit * options.RepetitionPenalty;
            if (count.Generated > 0)
                logit -= options.PresencePenalty;
            logit -= options.FrequencyPenalty * count.Generated;
        }
    }

    /// <summary>The tokens that the options' list and the constraint both allow; room must be reserved. It lives until the next call.</summary>
    public ReadOnlySpan<ulong> AllowedMask(int length, SamplingOptions options, ITokenConstraint? constraint)
    {
        var mask = _allowed.AsSpan(0, (length + WordBits - 1) / WordBits);
        mask.Clear();
        constraint?.Allow(mask);
        if (options.AllowedTokenIds is not { } ids)
            return mask;
        var listed = _listed.AsSpan(0, mask.Length);
        listed.Clear();
        foreach (var id in ids)
        {
            if ((uint)id < (uint)length)
                listed[id / WordBits] |= 1UL << (id % WordBits);
        }

        for (var i = 0; i < listed.Length && constraint is not null; i++)
            listed[i] &= mask[i];
        return listed;
    }

    static void Mask(Span<float> row, ReadOnlySpan<ulong> allowed)
    {
        var masked = Vector512.Create(float.NegativeInfinity);
        var vectors = MemoryMarshal.Cast<float, Vector512<float>>(row);
        var perWord = WordBits / Vector512<float>.Count;
        for (var i = 0; i < vectors.Length; i++)
        {
            var bits = (ushort)(allowed[i / perWord] >> (i % perWord * Vector512<float>.Count));
            if (bits == ushort.MaxValue)
                continue;
            var banned = Vector512.Equals(Vector512.Create((int)bits) & LaneBits, Vector512<int>.Zero);
            vectors[i] = Vector512.ConditionalSelect(banned.AsSingle(), masked, vectors[i]);
        }

        for (var i = vectors.Length * Vector512<float>.Count; i < row.Length; i++)
        {
            if ((allowed[i / WordBits] >> (i % WordBits) & 1) == 0)
                row[i] = float.NegativeInfinity;
        }
    }
}
