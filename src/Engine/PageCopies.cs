using System.Runtime.InteropServices;
using Serving.Cache;
using Serving.Model;

namespace Serving;

/// <summary>Pages and places to be copied before the next step.</summary>
sealed class PageCopies(IDecoder decoder, PageLedger pages)
{
    readonly (List<int> From, List<int> To)[] _copies = [.. pages.Groups.Select(_ => (new List<int>(), new List<int>()))];

    /// <summary>Adds the last page of each group.</summary>
    public void Add(PageTables from, PageTables to)
    {
        for (var group = 0; group < _copies.Length; group++)
        {
            _copies[group].From.Add(from[group].Entries[^1]);
            _copies[group].To.Add(to[group].Entries[^1]);
        }
    }

    /// <summary>Copies.</summary>
    public void Flush()
    {
        for (var group = 0; group < _copies.Length; group++)
        {
            var (from, to) = _copies[group];
            if (from.Count > 0) decoder.CopyPages(group, CollectionsMarshal.AsSpan(from), CollectionsMarshal.AsSpan(to));
        }

        pages.States?.Flush(decoder.CopyStates);
        Clear();
    }

    /// <summary>Forgets what is left to copy.</summary>
    public void Clear()
    {
        foreach (var (from, to) in _copies)
        {
            from.Clear();
            to.Clear();
        }

        pages.States?.Flush(static (_, _) => { });
    }
}
