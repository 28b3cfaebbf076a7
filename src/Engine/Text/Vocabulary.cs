using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace Serving.Text;

/// <summary>Tokens by id and ids by spelling; the spellings lie as UTF-8 in one array.</summary>
sealed class Vocabulary
{
    /// <summary>More ids than any published vocabulary has; a larger id in a file is an error, not an allocation.</summary>
    public const int MaxTokens = 1 << 22;

    // A seed of its own for each process, so that no file can be made whose spellings all fall on one slot.
    static readonly ulong Seed = (ulong)Random.Shared.NextInt64() | 1;

    readonly byte[] _utf8;
    readonly int[] _starts;
    readonly int[] _lengths;
    readonly TokenKind[] _kinds;
    readonly int[] _slots;

    Vocabulary(byte[] utf8, int count)
    {
        (_utf8, _starts, _lengths, _kinds) = (utf8, new int[count], new int[count], new TokenKind[count]);
        _slots = new int[BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, count * 2))];
    }

    /// <summary>One more than the highest id.</summary>
    public int Count => _kinds.Length;

    public int LongestUtf8 { get; private set; }

    public TokenKind Kind(int id) => (uint)id < (uint)_kinds.Length ? _kinds[id] : TokenKind.Missing;

    public ReadOnlySpan<byte> Utf8(int id) =>
        (uint)id < (uint)_starts.Length ? _utf8.AsSpan(_starts[id], _lengths[id]) : default;

    public string Spelling(int id) => Encoding.UTF8.GetString(Utf8(id));

    /// <summary>The id of a spelling, or -1.</summary>
    public int Find(ReadOnlySpan<byte> utf8)
    {
        for (var slot = Hash(utf8); ; slot++)
        {
            var id = _slots[slot & (uint)(_slots.Length - 1)] - 1;
            if (id < 0 || Utf8(id).SequenceEqual(utf8))
                return id;
        }
    }

    public int Find(string spelling) => Find(Encoding.UTF8.GetBytes(spelling));

    void Add(int id)
    {
        var utf8 = Utf8(id);
        var slot = Hash(utf8);
        for (; _slots[slot & (uint)(_slots.Length - 1)] is var other and not 0; slot++)
            if (Utf8(other - 1).SequenceEqual(utf8))
                throw new InvalidDataException($"The token '{Spelling(id)}' has two ids, {other - 1} and {id}; each spelling must have one.");
        _slots[slot & (uint)(_slots.Length - 1)] = id + 1;
        LongestUtf8 = Math.Max(LongestUtf8, utf8.Length);
    }

    /// <summary>Says what a token is for; the spelling and the id stay.</summary>
    public void SetKind(int id, TokenKind kind) => _kinds[id] = kind;

    void Set(int id, int start, int length, TokenKind kind)
    {
        if (_kinds[id] != TokenKind.Missing)
            throw new InvalidDataException(
                $"The id {id} belongs to two tokens, '{Spelling(id)}' and '{Encoding.UTF8.GetString(_utf8, start, length)}'.");
        (_starts[id], _lengths[id], _kinds[id]) = (start, length, kind);
        Add(id);
    }

    void SetAdded(int id, int start, int length, TokenKind kind)
    {
        var known = Find(_utf8.AsSpan(start, length));
        if (known < 0)
            Set(id, start, length, kind);
        else if (known == id)
            _kinds[id] = kind;
        else
            throw new InvalidDataException($"The added token '{Spelling(known)}' has id {id}, while the vocabulary gives it {known}.");
    }

    static uint Hash(ReadOnlySpan<byte> utf8)
    {
        var hash = Seed ^ (ulong)utf8.Length;
        for (; utf8.Length >= 8; utf8 = utf8[8..])
            hash = Mix(hash ^ MemoryMarshal.Read<ulong>(utf8));
        ulong tail = 0;
        foreach (var b in utf8)
            tail = tail << 8 | b;
        return (uint)Mix(hash ^ tail);
    }

    static ulong Mix(ulong value)
    {
        value *= Seed;
        return value ^ value >> 29 ^ value >> 47;
    }

    /// <summary>Collects tokens in any order of ids.</summary>
    public sealed class Builder(int expected)
    {
        readonly List<(int Id, int Start, int Length, TokenKind Kind)> _tokens = new(expected);
        readonly List<(int Id, int Start, int Length, TokenKind Kind)> _added = [];
        byte[] _utf8 = new byte[Math.Max(64, expected * 8)];
        int _used;
        int _highest = -1;

        /// <summary>Room for a spelling of up to <paramref name="bytes"/> bytes, to be followed by <see cref="Add(int, int, TokenKind)"/>.</summary>
        public Span<byte> Room(int bytes)
        {
            if (_utf8.Length - _used < bytes)
                Array.Resize(ref _utf8, Math.Max(_utf8.Length * 2, _used + bytes));
            return _utf8.AsSpan(_used);
        }

        public void Add(int id, int length, TokenKind kind) => _tokens.Add(Take(id, length, kind));

        public void Add(int id, string spelling, TokenKind kind) => Add(id, Write(spelling), kind);

        /// <summary>A token of a second list: its spelling may be in the first already, under the same id.</summary>
        public void AddOrMark(int id, string spelling, TokenKind kind) => _added.Add(Take(id, Write(spelling), kind));

        public Vocabulary Build()
        {
            var count = _tokens.Count + _added.Count;
            if (_highest >= count * 4L + 65536)
                throw new InvalidDataException($"The highest token id is {_highest}, yet there are only {count} tokens.");
            var vocabulary = new Vocabulary(_utf8, _highest + 1);
            foreach (var (id, start, length, kind) in _tokens)
                vocabulary.Set(id, start, length, kind);
            foreach (var (id, start, length, kind) in _added)
                vocabulary.SetAdded(id, start, length, kind);
            return vocabulary;
        }

        int Write(string spelling) => Encoding.UTF8.GetBytes(spelling, Room(Encoding.UTF8.GetMaxByteCount(spelling.Length)));

        (int Id, int Start, int Length, TokenKind Kind) Take(int id, int length, TokenKind kind)
        {
            var start = _used;
            if (id is < 0 or >= MaxTokens)
                throw new InvalidDataException($"The token '{Encoding.UTF8.GetString(_utf8, start, length)}' has id {id}; ids go from 0 to {MaxTokens - 1}.");
            _used += length;
            _highest = Math.Max(_highest, id);
            return (id, start, length, kind);
        }
    }
}
