using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>Launches one after the other, each with its grid and its argument byte for byte; and the graph that they became, if they did.</summary>
sealed unsafe class LaunchList
{
    // Structures of arguments hold addresses.
    const int Alignment = 8;

    readonly List<Entry> _entries = [];
    byte[] _bytes = new byte[1024];
    int _used;

    /// <summary>How many launches there are.</summary>
    public int Count => _entries.Count;

    /// <summary>What the driver made of them; 0 for nothing.</summary>
    public nint Graph { get; set; }

    /// <summary>Adds a launch.</summary>
    public void Add<T>(Launch launch, in T argument) where T : unmanaged => Add(launch, BytesOf(argument));

    /// <summary>Whether launch <paramref name="index"/> is this one, to the last byte that has a meaning.</summary>
    public bool Is<T>(int index, Launch launch, in T argument) where T : unmanaged
    {
        if (index >= Count) return false;
        var entry = _entries[index];
        if (entry.Launch != launch || entry.Bytes != sizeof(T)) return false;
        var mine = Argument(entry);
        var its = BytesOf(argument);
        if (mine.SequenceEqual(its)) return true;
        var meant = Meant<T>.Bytes;
        for (var i = 0; i < mine.Length; i++)
            if (((mine[i] ^ its[i]) & meant[i]) != 0) return false;
        return true;
    }

    /// <summary>Whether the first launches are those of another list.</summary>
    public bool Begins(LaunchList other, int count)
    {
        if (count > Count || count > other.Count) return false;
        for (var i = 0; i < count; i++)
        {
            var (mine, its) = (_entries[i], other._entries[i]);
            if (mine.Launch != its.Launch || !Argument(mine).SequenceEqual(other.Argument(its))) return false;
        }
        return true;
    }

    /// <summary>The first launches as a list of their own.</summary>
    public LaunchList Take(int count)
    {
        var list = new LaunchList();
        for (var i = 0; i < count; i++) list.Add(_entries[i].Launch, Argument(_entries[i]));
        return list;
    }

    /// <summary>Puts the first launches on a stream.</summary>
    public void Run(CudaDriver driver, nint stream, int count)
    {
        fixed (byte* bytes = _bytes)
            for (var i = 0; i < count; i++)
            {
                var (launch, offset, _) = _entries[i];
                driver.Launch(launch.Function, launch.Grid, launch.Threads, launch.SharedBytes, stream, bytes + offset);
            }
    }

    void Add(Launch launch, ReadOnlySpan<byte> argument)
    {
        if (_used + argument.Length > _bytes.Length) Array.Resize(ref _bytes, 2 * (_used + argument.Length));
        argument.CopyTo(_bytes.AsSpan(_used));
        _entries.Add(new(launch, _used, argument.Length));
        _used += (argument.Length + Alignment - 1) / Alignment * Alignment;
    }

    ReadOnlySpan<byte> Argument(Entry entry) => _bytes.AsSpan(entry.Offset, entry.Bytes);

    static ReadOnlySpan<byte> BytesOf<T>(in T argument) where T : unmanaged => MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(in argument, 1));

    readonly record struct Entry(Launch Launch, int Offset, int Bytes);

    // Ones where a structure has fields; what lies between them may be anything. A byte has no meaning when structures that differ in it are equal.
    static class Meant<T> where T : unmanaged
    {
        public static readonly byte[] Bytes = Find();

        static byte[] Find()
        {
            var (found, pair) = (new byte[sizeof(T)], new T[2]);
            for (var i = 0; i < found.Length; i++)
            {
                MemoryMarshal.AsBytes(pair.AsSpan())[i] = 1;
                if (!EqualityComparer<T>.Default.Equals(pair[0], pair[1])) found[i] = 0xff;
                pair[0] = default;
            }
            return found;
        }
    }
}

/// <summary>A kernel on its grid, but for its argument.</summary>
/// <param name="Function">The kernel.</param>
/// <param name="Grid">Blocks.</param>
/// <param name="Threads">Threads of a block.</param>
/// <param name="SharedBytes">Dynamic shared memory of a block.</param>
readonly record struct Launch(nint Function, Grid Grid, int Threads, int SharedBytes);
