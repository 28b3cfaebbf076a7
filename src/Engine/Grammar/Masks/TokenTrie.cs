using System.Buffers.Binary;
using Serving.Text;

namespace Serving.Grammar.Masks;

/// <summary>
/// The tokens of a vocabulary by their bytes, as a tree written down in depth-first order: a node's subtree is the run of nodes up to its
/// end. Control tokens stand below the byte 0xFF, which no text holds, so that a grammar can ask for them and no text can spell them.
/// </summary>
sealed class TokenTrie
{
    const byte Control = 0xFF;

    readonly Tokenizer _tokenizer;
    readonly byte[][] _bytes;
    readonly List<byte> _labels = [0];
    readonly List<int> _ends = [0];
    readonly List<int> _depths = [0];
    readonly List<int> _tokens = [-1];
    readonly int[] _same;

    /// <summary>The first <paramref name="size"/> tokens of a vocabulary.</summary>
    public TokenTrie(Tokenizer tokenizer, int size)
    {
        _tokenizer = tokenizer;
        _bytes = [.. Enumerable.Range(0, Math.Min(size, tokenizer.VocabularySize)).Select(BytesOf)];
        _same = new int[_bytes.Length];
        Array.Fill(_same, -1);
        var sorted = Enumerable.Range(0, _bytes.Length).Where(id => _bytes[id].Length > 0).ToArray();
        Array.Sort(sorted, (a, b) => _bytes[a].AsSpan().SequenceCompareTo(_bytes[b]) is var order and not 0 ? order : a.CompareTo(b));
        LongestToken = sorted.Length == 0 ? 0 : sorted.Max(id => _bytes[id].Length);
        Build(sorted);
        (Labels, Ends, Depths, Tokens) = ([.. _labels], [.. _ends], [.. _depths], [.. _tokens]);
        FirstControl = Child(0, Control) is var child and > 0 ? child : Labels.Length;
    }

    /// <summary>Tokens of the vocabulary.</summary>
    public int Size => _bytes.Length;

    public int LongestToken { get; }

    /// <summary>The byte that leads to each node; the root is node 0.</summary>
    public byte[] Labels { get; }

    /// <summary>The node after the last of each node's subtree.</summary>
    public int[] Ends { get; }

    public int[] Depths { get; }

    /// <summary>A token that ends at each node, or -1.</summary>
    public int[] Tokens { get; }

    /// <summary>From this node on, control tokens.</summary>
    public int FirstControl { get; }

    /// <summary>The next token with the same bytes, or -1.</summary>
    public int Same(int token) => _same[token];

    /// <summary>The bytes of a token as grammars see them; none where no grammar can ask for it.</summary>
    public ReadOnlySpan<byte> Bytes(int token) => (uint)token < (uint)_bytes.Length ? _bytes[token] : default;

    public bool IsToken(int node) => Tokens[node] >= 0;

    /// <summary>Whether one of these bytes is a token of its own.</summary>
    public bool HasSingle(byte low, byte high)
    {
        for (var node = 1; node < Ends[0] && Labels[node] <= high; node = Ends[node])
            if (Labels[node] >= low && IsToken(node))
                return true;
        return false;
    }

    /// <summary>The node below another, or 0.</summary>
    public int Child(int node, byte label)
    {
        for (var child = node + 1; child < Ends[node] && Labels[child] <= label; child = Ends[child])
            if (Labels[child] == label)
                return child;
        return 0;
    }

    /// <summary>The bytes of the control token that is spelled like this; null where there is none.</summary>
    public byte[]? ControlBytes(string marker) =>
        _tokenizer.IdOf(marker) is { } id && id < Size && IsStructure(id) ? ControlBytes(id) : null;

    byte[] BytesOf(int id)
    {
        if (IsStructure(id))
            return ControlBytes(id);
        var bytes = _tokenizer.Kind(id) is TokenKind.Missing or TokenKind.Unused or TokenKind.Unknown ? default : _tokenizer.Bytes(id);
        return bytes.Contains(Control) ? [] : bytes.ToArray();
    }

    bool IsStructure(int id) => _tokenizer.Kind(id) is TokenKind.Control;

    static byte[] ControlBytes(int id)
    {
        var bytes = new byte[1 + sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(1), id);
        bytes[0] = Control;
        return bytes;
    }

    void Build(int[] sorted)
    {
        var path = new Stack<int>([0]);
        ReadOnlySpan<byte> before = [];
        foreach (var id in sorted)
        {
            var bytes = _bytes[id].AsSpan();
            var shared = before.CommonPrefixLength(bytes);
            while (path.Count > shared + 1)
                _ends[path.Pop()] = _labels.Count;
            for (var depth = shared; depth < bytes.Length; depth++)
            {
                path.Push(_labels.Count);
                _labels.Add(bytes[depth]);
                _ends.Add(0);
                _depths.Add(depth + 1);
                _tokens.Add(-1);
            }
            _same[id] = _tokens[path.Peek()];
            _tokens[path.Peek()] = id;
            before = bytes;
        }
        while (path.TryPop(out var node))
            _ends[node] = _labels.Count;
    }
}
