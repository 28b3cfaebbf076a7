using System.Collections.Immutable;
using Serving.Attention;

namespace Serving.Cache;

/// <summary>Layers whose pages live equally long: a page id is valid in all of them, and a sequence has one page table for them.</summary>
/// <param name="Rows">Which cached rows a token sees.</param>
/// <param name="Layers">The layers that cache.</param>
/// <param name="PageTokens">Tokens of a page.</param>
/// <param name="TokenBytes">Bytes that a token stores in all layers of the group.</param>
/// <param name="PageBytes">Bytes of a page in all layers and streams, each stream's part rounded up to 64.</param>
public sealed record PageGroup(RowPolicy Rows, ImmutableArray<int> Layers, int PageTokens, double TokenBytes, long PageBytes)
{
    /// <summary>True when every earlier row stays readable, so that a sequence never gives a page back before its end.</summary>
    public bool KeepsAll => Rows == RowPolicy.All;

    /// <summary>Index in a page table of the first page that the token at a position, or any after it, can read.</summary>
    public int FirstPage(int position) => Rows.FirstVisible(position) / PageTokens;

    /// <summary>Entries of a page table over this many tokens.</summary>
    public int PagesOver(int tokens) => (int)(((long)tokens + PageTokens - 1) / PageTokens);

    /// <summary>Most pages that a sequence of <paramref name="length"/> tokens holds at once, with steps of <paramref name="stepTokens"/>.</summary>
    public int MostPages(int length, int stepTokens) => KeepsAll
        ? PagesOver(length)
        : Math.Min(PagesOver(length), PagesOver((int)Math.Min(int.MaxValue, (long)Reach + stepTokens)) + 1);

    int Reach => Rows is { Window: > 0, Chunk: > 0 } ? Math.Min(Rows.Window, Rows.Chunk) : Rows.Window + Rows.Chunk;
}
