using System.Runtime.InteropServices;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;

namespace Serving;

/// <summary>Pages and places to be copied before the next step.</summary>
sealed class PageCopies(IDecoder decoder, PageLedger pages)
{
    readonly (List<int> From, List<int> To)[] _copies = [.. pages.Groups.Select(_ => (new List<int>(), new List<int>()))];

    readonly CopyGroup _out = (group, from, to) => decoder.SwapPages(Swap.Out, group, from, to);
    readonly CopyGroup _in = (group, from, to) => decoder.SwapPages(Swap.In, group, from, to);

    /// <summary>Adds the last page of each group.</summary>
    public void Add(PageTables from, PageTables to)
    {
        for (var group = 0; group < _copies.Length; group++)
        {
            _copies[group].From.Add(from[group].Entries[^1]);
            _copies[group].To.Add(to[group].Entries[^1]);
        }
    }

    /// <summary>Copies: what leaves for the host first, what comes back last.</summary>
    public void Flush()
    {
        pages.Swap?.FlushOut(_out);
        for (var group = 0; group < _copies.Length; group++)
        {
            var (from, to) = _copies[group];
            if (from.Count > 0) decoder.CopyPages(group, CollectionsMarshal.AsSpan(from), CollectionsMarshal.AsSpan(to));
        }

        pages.States?.Flush(decoder.CopyStates);
        pages.Swap?.FlushIn(_in);
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
        pages.Swap?.Clear();
    }
}
