using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Serving.Sampling;

/// <summary>How often a token stands in the prompt and in what was generated.</summary>
readonly record struct TokenCount(int Prompt, int Generated);

/// <summary>What a sequence has said so far, as counts: memory grows with the distinct tokens, not with the vocabulary or the length.</summary>
public sealed class TokenHistory
{
    readonly Dictionary<int, TokenCount> _counts;
    readonly long _promptLength;

    /// <summary>A history that holds the prompt and nothing generated.</summary>
    public TokenHistory(ReadOnlySpan<int> prompt)
    {
        _counts = [];
        _promptLength = prompt.Length;
        foreach (var token in prompt)
        {
            ref var count = ref Slot(token);
            count = count with { Prompt = count.Prompt + 1 };
        }
    }

    TokenHistory(TokenHistory other)
    {
        _counts = new(other._counts);
        _promptLength = other._promptLength;
        Generated = other.Generated;
    }

    /// <summary>How many tokens were generated.</summary>
    public int Generated { get; private set; }

    /// <summary>The position of the next token: the prompt's length and the generated tokens.</summary>
    public long Position => _promptLength + Generated;

    /// <summary>How many distinct tokens have been counted, including those rolled back since.</summary>
    public int Distinct => _counts.Count;

    internal Dictionary<int, TokenCount> Counts => _counts;

    /// <summary>Counts a generated token.</summary>
    public void Add(int token)
    {
        ref var count = ref Slot(token);
        count = count with { Generated = count.Generated + 1 };
        Generated++;
    }

    /// <summary>Takes back generated tokens, in any order; throws InvalidOperationException for a token that was not generated.</summary>
    public void Remove(ReadOnlySpan<int> tokens)
    {
        foreach (var token in tokens)
        {
            ref var count = ref CollectionsMarshal.GetValueRefOrNullRef(_counts, token);
            if (Unsafe.IsNullRef(ref count) || count.Generated == 0)
                throw new InvalidOperationException($"Token {token} cannot be rolled back: it is not among the {Generated} generated tokens.");
            count = count with { Generated = count.Generated - 1 };
            Generated--;
        }
    }

    /// <summary>How often the token was generated, not counting the prompt.</summary>
    public int TimesGenerated(int token) => _counts.GetValueOrDefault(token).Generated;

    /// <summary>An independent copy, for a sequence that goes on from here on its own.</summary>
    public TokenHistory Fork() => new(this);

    ref TokenCount Slot(int token)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        return ref CollectionsMarshal.GetValueRefOrAddDefault(_counts, token, out _);
    }
}
