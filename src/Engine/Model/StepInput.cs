using System.Numerics;
using Serving.Attention;
using Serving.Cache;
using Serving.Devices;

namespace Serving.Model;

/// <summary>What a decoder is told of a step: flat arrays, reused from step to step.</summary>
/// <param name="maxRows">Most token rows of a step.</param>
/// <param name="maxRuns">Most runs of a step; a sequence has two where its way of execution changes.</param>
/// <param name="pageGroups">Groups of layers with page tables of their own (<c>CacheLayout.Groups</c>).</param>
public sealed class StepInput(int maxRows, int maxRuns, int pageGroups)
{
    /// <summary>Token id of each row.</summary>
    public int[] Tokens { get; } = new int[maxRows];

    /// <summary>Positions and runs.</summary>
    public RowBatch Rows { get; } = new(maxRows, maxRuns);

    /// <summary>Place of each row's token in time, height and width; empty where all are text, whose places are its positions.</summary>
    public GridPlace[] Places { get; set; } = [];

    /// <summary>Page tables, one batch for each group of layers.</summary>
    public PageBatch[] Pages { get; } = [.. Enumerable.Range(0, pageGroups).Select(_ => new PageBatch(maxRuns))];

    /// <summary>Most tokens that each run's sequence may reach: prompt and limit, fixed at admission.</summary>
    public int[] LengthLimits { get; } = new int[maxRuns];

    /// <summary>True for each run whose keys and values are rebuilt from latents, where layers can; fixed for each token at admission.</summary>
    public bool[] Expanded { get; } = new bool[maxRuns];

    /// <summary>Where each run finds and leaves the states of its sequence.</summary>
    public StateBatch States { get; } = new(maxRuns);

    /// <summary>Starts an empty step.</summary>
    public void Clear()
    {
        Rows.Clear();
        Places = [];
        States.Clear();
        foreach (var pages in Pages) pages.Clear();
    }

    /// <summary>Adds a run of tokens; the caller then adds its place to <see cref="States"/> and its page table to every batch of <see cref="Pages"/>.</summary>
    public void Add(ReadOnlySpan<int> tokens, int position, int lengthLimit, bool expanded = false)
    {
        tokens.CopyTo(Tokens.AsSpan(Rows.Rows));
        (LengthLimits[Rows.Runs], Expanded[Rows.Runs]) = (lengthLimit, expanded);
        Rows.Add(position, tokens.Length);
    }
}

/// <summary>
/// Rows that fill a step of single tokens up to one of few sizes, for devices that repeat steps whole. Each is the first token of a sequence of its own
/// whose page and place of states are nobody's, so that no other row's inputs differ.
/// </summary>
/// <param name="cache">The cached rows, with a page of each group for nobody.</param>
/// <param name="states">The states, with a place for nobody.</param>
/// <param name="maxRows">Most rows of a step.</param>
public sealed class StepPadding(LatentCache cache, StateMemory states, int maxRows)
{
    // Larger steps keep the device busy for longer than the host takes to launch them.
    const int Most = 256;
    const int Stride = 16;

    /// <summary>Fills a step up; false where it is not of single tokens, or too large, and stays as it is.</summary>
    public bool Fill(StepInput step)
    {
        var rows = step.Rows.Rows;
        if (rows == 0 || rows > Most || step.Rows.Runs != rows || step.Places.Length > 0 || step.Expanded.AsSpan(0, rows).Contains(true)) return false;
        var most = Math.Min(maxRows, Math.Min(step.Tokens.Length, step.Expanded.Length));
        for (var left = SizeOf(rows, most) - rows; left > 0; left--)
        {
            step.Add([0], position: 0, lengthLimit: 1);
            if (states.Spare is { } place) step.States.Add(place);
            for (var group = 0; group < step.Pages.Length; group++) step.Pages[group].Add([cache.Spare(group)]);
        }
        return true;
    }

    /// <summary>The rows that so many become, <paramref name="most"/> at most: powers of two up to 8, then multiples of 16.</summary>
    public static int SizeOf(int rows, int most) => Math.Min(most, rows <= Stride
        ? (int)BitOperations.RoundUpToPowerOf2((uint)rows)
        : (rows + Stride - 1) / Stride * Stride);
}

/// <summary>What the engine's loop needs of a model. A seam: scheduling is tested without one.</summary>
public interface IDecoder
{
    /// <summary>Logits in a row.</summary>
    int VocabularySize { get; }

    /// <summary>Values in a hidden row.</summary>
    int HiddenSize { get; }

    /// <summary>Most rows that one call of <see cref="Logits"/> takes.</summary>
    int LogitRows { get; }

    /// <summary>Computes every row of a step: cached rows are written, hidden states kept until the next step.</summary>
    void Forward(StepInput step);

    /// <summary>
    /// Logits [rows x VocabularySize] of some rows of the last step, on the host. The span is the caller's to change
    /// and lives until the next call.
    /// </summary>
    Span<float> Logits(ReadOnlySpan<int> rows);

    /// <summary>Whether tokens can be chosen where the logits lie.</summary>
    bool Chooses => false;

    /// <summary>
    /// Chooses tokens from rows of the last step without bringing their logits to the host: one for each choice of the batch, or a negative
    /// number of <see cref="ChoiceBatch"/>. Throws NotSupportedException unless <see cref="Chooses"/>.
    /// </summary>
    void Choose(ChoiceBatch choices, Span<int> chosen) => throw new NotSupportedException("This decoder brings logits to the host alone.");

    /// <summary>The hidden state of a row of the last step, as it enters the output head.</summary>
    void Hidden(int row, Span<float> destination);

    /// <summary>Copies pages of a group, in every layer and stream: page from[i] onto page to[i].</summary>
    void CopyPages(int pageGroup, ReadOnlySpan<int> from, ReadOnlySpan<int> to);

    /// <summary>Copies the states of sequences, one place after the other: from[i] onto to[i].</summary>
    void CopyStates(ReadOnlySpan<int> from, ReadOnlySpan<int> to);

    /// <summary>
    /// Copies pages of a group between the cache and the swap space, in every layer and stream; or the states of sequences where the number is
    /// one past the last group: from[i] of one side onto to[i] of the other.
    /// </summary>
    void SwapPages(Swap way, int pageGroup, ReadOnlySpan<int> from, ReadOnlySpan<int> to);
}
