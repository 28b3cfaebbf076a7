using System.Numerics;

namespace Serving.Cache;

/// <summary>
/// A tree of full pages of tokens. A node is a prefix: its parent's tokens and one page more. It knows, for each group, the page that
/// still holds the rows of its last tokens. Nodes are found by chained hashes and then compared: parent by parent and token by token,
/// a hash that collides finds nothing. A node lives while it has a page, a child, or a sequence that stands on it.
/// </summary>
public sealed class PrefixCache
{
    /// <summary>Stands for no node, and for no page.</summary>
    public const int None = -1;

    const int Vacant = -2;

    struct Node
    {
        public ulong Hash;
        public int Parent, References;
        public string? Seed;
    }

    readonly int _groups, _pageTokens;
    readonly Func<ulong, ReadOnlySpan<int>, ulong> _hash;
    readonly Dictionary<ulong, int> _byHash = [];
    readonly Dictionary<string, int> _roots = [];
    readonly Stack<int> _unused = [];
    readonly int[][] _nodeOfPage;
    Node[] _nodes = new Node[64];
    int[] _tokens, _pages;
    int _made;

    /// <summary>An empty tree over pools of these sizes.</summary>
    public PrefixCache(ReadOnlySpan<int> pages, int pageTokens) : this(pages, pageTokens, Chain)
    {
    }

    internal PrefixCache(ReadOnlySpan<int> pages, int pageTokens, Func<ulong, ReadOnlySpan<int>, ulong> hash)
    {
        (_groups, _pageTokens, _hash) = (pages.Length, pageTokens, hash);
        _nodeOfPage = new int[_groups][];
        for (var group = 0; group < _groups; group++)
        {
            _nodeOfPage[group] = new int[pages[group]];
            _nodeOfPage[group].AsSpan().Fill(None);
        }

        (_tokens, _pages) = (new int[_nodes.Length * pageTokens], new int[_nodes.Length * _groups]);
    }

    /// <summary>Nodes in the tree.</summary>
    public int Count => _made - _unused.Count;

    /// <summary>The empty prefix of a seed, held for the caller: prefixes of different seeds never meet.</summary>
    public int Root(string seed)
    {
        if (!_roots.TryGetValue(seed, out var root))
        {
            root = Make(new() { Parent = None, Seed = seed, Hash = _hash(0, [.. seed.Select(c => (int)c)]) });
            _roots.Add(seed, root);
        }

        Hold(root);
        return root;
    }

    /// <summary>The prefix one page of tokens longer than another, or None.</summary>
    public int Find(int parent, ReadOnlySpan<int> tokens) => Math.Max(None, Find(_hash(_nodes[parent].Hash, tokens), parent, tokens));

    /// <summary>The prefix one page of tokens longer than another; None when another prefix has its hash.</summary>
    public int FindOrAdd(int parent, ReadOnlySpan<int> tokens)
    {
        var hash = _hash(_nodes[parent].Hash, tokens);
        var node = Find(hash, parent, tokens);
        if (node != Vacant) return node;
        node = Make(new() { Parent = parent, Hash = hash });
        tokens.CopyTo(_tokens.AsSpan(node * _pageTokens));
        _byHash.Add(hash, node);
        Hold(parent);
        return node;
    }

    /// <summary>The page of a group with the rows of a prefix's last tokens, or None.</summary>
    public int Page(int node, int group) => _pages[node * _groups + group];

    /// <summary>Lets a prefix know a page; false when it has one already.</summary>
    public bool Attach(int node, int group, int page)
    {
        ref var slot = ref _pages[node * _groups + group];
        if (slot != None) return false;
        slot = page;
        _nodeOfPage[group][page] = node;
        Hold(node);
        return true;
    }

    /// <summary>Forgets a page whose content is lost.</summary>
    public void Detach(int group, int page)
    {
        var node = _nodeOfPage[group][page];
        _nodeOfPage[group][page] = None;
        _pages[node * _groups + group] = None;
        Release(node);
    }

    /// <summary>Keeps a node while the caller stands on it.</summary>
    public void Hold(int node) => _nodes[node].References++;

    /// <summary>Undoes <see cref="Hold"/>.</summary>
    public void Release(int node)
    {
        while (node != None && --_nodes[node].References == 0)
        {
            if (_nodes[node].Seed is { } seed) _roots.Remove(seed);
            else _byHash.Remove(_nodes[node].Hash);
            _unused.Push(node);
            node = _nodes[node].Parent;
        }
    }

    /// <summary>Recounts references, given the nodes that sequences stand on; throws InvalidOperationException when one is wrong.</summary>
    public void Check(IEnumerable<int> held)
    {
        var counted = new int[_made];
        foreach (var node in held) counted[node]++;
        foreach (var node in _nodeOfPage.SelectMany(nodes => nodes).Where(node => node != None)) counted[node]++;
        foreach (var node in _byHash.Values) counted[_nodes[node].Parent]++;
        foreach (var node in _byHash.Values.Concat(_roots.Values))
            if (counted[node] != _nodes[node].References || counted[node] == 0)
                throw new InvalidOperationException(
                    $"Prefix {node} has {counted[node]} references; the books say {_nodes[node].References}.");
        if (_byHash.Count + _roots.Count != Count)
            throw new InvalidOperationException($"The tree has {_byHash.Count + _roots.Count} prefixes; the books say {Count}.");
    }

    int Find(ulong hash, int parent, ReadOnlySpan<int> tokens)
    {
        if (!_byHash.TryGetValue(hash, out var node)) return Vacant;
        return _nodes[node].Parent == parent && _tokens.AsSpan(node * _pageTokens, _pageTokens).SequenceEqual(tokens) ? node : None;
    }

    int Make(Node node)
    {
        if (!_unused.TryPop(out var made))
        {
            made = _made++;
            if (made == _nodes.Length)
            {
                Array.Resize(ref _nodes, 2 * made);
                Array.Resize(ref _tokens, 2 * made * _pageTokens);
                Array.Resize(ref _pages, 2 * made * _groups);
            }
        }

        _nodes[made] = node;
        _pages.AsSpan(made * _groups, _groups).Fill(None);
        return made;
    }

    // Multiply and rotate: only speed depends on its quality, since what it finds is compared.
    static ulong Chain(ulong parent, ReadOnlySpan<int> tokens)
    {
        var hash = parent ^ 0x9E3779B97F4A7C15;
        foreach (var token in tokens) hash = BitOperations.RotateLeft((hash ^ (uint)token) * 0xD6E8FEB86659FD93, 29);
        return hash * 0xD6E8FEB86659FD93;
    }
}
