using System.Runtime.InteropServices;

namespace Serving.Devices;

/// <summary>How one token is chosen from a row; the kernel's <c>Terms</c>. Ranges are of the batch's lists.</summary>
/// <param name="Least">Added to the best logit it gives the least one that is kept: T ln min_p; negative infinity keeps all.</param>
/// <param name="Uniform">The number in [0, 1) that decides the draw.</param>
/// <param name="InverseTemperature">Multiplies the logits; the best token is taken without a draw where <paramref name="TopK"/> is 1.</param>
/// <param name="TopP">The share of the weight that the best tokens must have; 1 keeps all.</param>
/// <param name="Repetition">Divides positive and multiplies negative logits of counted tokens.</param>
/// <param name="Presence">Subtracted from logits of tokens that were generated.</param>
/// <param name="Frequency">Subtracted as often as a token was generated.</param>
/// <param name="Row">Which of the batch's rows.</param>
/// <param name="TopK">How many of the best tokens are kept; 0 keeps all.</param>
/// <param name="Mask">Where its mask begins, in words of 32 bits; -1 for none.</param>
/// <param name="FirstBias">Biases, up to <paramref name="EndBias"/>.</param>
/// <param name="EndBias">See <paramref name="FirstBias"/>.</param>
/// <param name="FirstBan">Tokens that are never chosen, up to <paramref name="EndBan"/>.</param>
/// <param name="EndBan">See <paramref name="FirstBan"/>.</param>
/// <param name="FirstCount">Counted tokens, each once, up to <paramref name="EndCount"/>.</param>
/// <param name="EndCount">See <paramref name="FirstCount"/>.</param>
public readonly record struct ChoiceTerms(
    double Least, double Uniform, float InverseTemperature, float TopP, float Repetition, float Presence, float Frequency, int Row, int TopK, int Mask,
    int FirstBias, int EndBias, int FirstBan, int EndBan, int FirstCount, int EndCount)
{
    /// <summary>Whether logits are changed before a token is chosen.</summary>
    public bool Edits => Mask >= 0 || FirstBias < EndBias || FirstBan < EndBan || FirstCount < EndCount;
}

/// <summary>Added to a token's logit.</summary>
public readonly record struct LogitBias(int Id, float Value);

/// <summary>How often a token was generated; it may stand in the prompt alone.</summary>
public readonly record struct GeneratedCount(int Id, int Generated);

/// <summary>Tokens that are to be chosen together: rows, how each choice is made, and the lists that the terms name. Reused from step to step.</summary>
public sealed class ChoiceBatch
{
    /// <summary>Stands for a token where every one is masked.</summary>
    public const int NothingAllowed = -1;

    /// <summary>Stands for a token where a logit is no number or positive infinity.</summary>
    public const int NotFinite = -2;

    readonly List<int> _rows = [], _bans = [];
    readonly List<ChoiceTerms> _terms = [];
    readonly List<ulong> _masks = [];
    readonly List<LogitBias> _biases = [];
    readonly List<GeneratedCount> _counts = [];

    /// <summary>Rows of the step, ascending.</summary>
    public ReadOnlySpan<int> Rows => CollectionsMarshal.AsSpan(_rows);

    /// <summary>The choices, in the order of their rows; a row may have several.</summary>
    public ReadOnlySpan<ChoiceTerms> Terms => CollectionsMarshal.AsSpan(_terms);

    /// <summary>Bit i % 64 of word i / 64 of a mask is set where token i may be chosen.</summary>
    public ReadOnlySpan<ulong> Masks => CollectionsMarshal.AsSpan(_masks);

    /// <summary>Biases of all choices.</summary>
    public ReadOnlySpan<LogitBias> Biases => CollectionsMarshal.AsSpan(_biases);

    /// <summary>Banned tokens of all choices.</summary>
    public ReadOnlySpan<int> Bans => CollectionsMarshal.AsSpan(_bans);

    /// <summary>Counted tokens of all choices.</summary>
    public ReadOnlySpan<GeneratedCount> Counts => CollectionsMarshal.AsSpan(_counts);

    /// <summary>Starts an empty batch.</summary>
    public void Clear()
    {
        _rows.Clear();
        _terms.Clear();
        _masks.Clear();
        _biases.Clear();
        _bans.Clear();
        _counts.Clear();
    }

    /// <summary>Names the row of the step that the next choices are made from; rows come in ascending order, each once.</summary>
    public void AddRow(int row) => _rows.Add(row);

    /// <summary>Adds choices that nobody reads, of the last row once more each, until there are so many rows: for steps that come in few sizes.</summary>
    public void Fill(int rows)
    {
        while (_rows.Count < rows)
        {
            _rows.Add(_rows[^1]);
            Add(new(double.NegativeInfinity, 0, InverseTemperature: 1, TopP: 1, Repetition: 1, 0, 0, Row: 0, TopK: 1, Mask: -1, 0, 0, 0, 0, 0, 0));
        }
    }

    /// <summary>Adds a mask for the next choice and returns where it begins, in words of 32 bits.</summary>
    public int AddMask(ReadOnlySpan<ulong> words)
    {
        var first = _masks.Count;
        _masks.AddRange(words);
        return 2 * first;
    }

    /// <summary>Adds a bias for the next choice.</summary>
    public void AddBias(int id, float value) => _biases.Add(new(id, value));

    /// <summary>Adds banned tokens for the next choice.</summary>
    public void AddBans(ReadOnlySpan<int> ids) => _bans.AddRange(ids);

    /// <summary>Adds a counted token for the next choice.</summary>
    public void AddCount(int id, int generated) => _counts.Add(new(id, generated));

    /// <summary>Adds a choice from the last row, with the biases, bans and counts that were added since the last choice; returns its index.</summary>
    public int Add(in ChoiceTerms terms)
    {
        var last = _terms.Count > 0 ? _terms[^1] : default;
        _terms.Add(terms with
        {
            Row = _rows.Count - 1,
            FirstBias = last.EndBias, EndBias = _biases.Count, FirstBan = last.EndBan, EndBan = _bans.Count,
            FirstCount = last.EndCount, EndCount = _counts.Count,
        });
        return _terms.Count - 1;
    }
}
