using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>
/// The order in which the device works: launches and copies run one after the other, while the host goes on. Host values travel through a
/// ring of pinned memory, so that a caller's arrays may change as soon as a call returns.
/// </summary>
sealed unsafe class CudaStream : IDisposable
{
    const int HalfBytes = 2 << 20;
    const int Alignment = 256;

    readonly CudaContext _context;
    readonly CudaDriver _driver;
    readonly nint _stream, _pinned, _ring;
    readonly nint[] _passed = new nint[2];
    readonly List<nint> _large = [];
    readonly List<DeviceArray<byte>> _slots = [];
    readonly StepGraphs _steps;
    int _half, _used, _ringUsed, _slot;

    /// <summary>A stream of a context.</summary>
    /// <param name="context">The context.</param>
    /// <param name="tell">Is told, once, that the driver makes no graphs of steps.</param>
    public CudaStream(CudaContext context, Action<string> tell)
    {
        (_context, _driver) = (context, context.Driver);
        _stream = _driver.CreateStream();
        _steps = new(_driver, _stream, tell);
        _pinned = _driver.AllocateHost(2 * HalfBytes);
        _ring = _driver.Allocate(2 * HalfBytes);
        for (var i = 0; i < _passed.Length; i++) _passed[i] = _driver.CreateEvent();
    }

    /// <summary>Puts a kernel on the stream; a grid without blocks does nothing.</summary>
    /// <param name="function">The kernel.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="arguments">The structure that the kernel takes, laid out as there.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block.</param>
    public void Launch<T>(CudaFunction function, Grid grid, int threads, in T arguments, int sharedBytes = 0) where T : unmanaged
    {
        if (grid.IsEmpty) return;
        _context.Enter();
        if (_steps.Takes(new(function.Handle, grid, threads, sharedBytes), arguments)) return;
        fixed (T* given = &arguments) _driver.Launch(function.Handle, grid, threads, sharedBytes, _stream, given);
    }

    /// <summary>Begins a step, one that may be repeated as a graph or one that runs as it comes.</summary>
    public void Begin(bool repeats)
    {
        _context.Enter();
        _steps.Begin(repeats);
        _slot = 0;
    }

    /// <summary>Whether the driver makes graphs, as far as is known.</summary>
    public bool MakesGraphs => _steps.Works;

    /// <summary>Whether the step at hand may be repeated: then its grids and arguments are those of all its like.</summary>
    public bool Repeats => _steps.Repeats;

    /// <summary>Whether launches may wait that were asked for before: then host values go to memory that none of them knows.</summary>
    public bool Keeps => _steps.Keeps;

    /// <summary>Another number whenever what launches read may change.</summary>
    public int Turn => _steps.Turn;

    /// <summary>Launches what waits to be part of a graph: what it reads is about to change.</summary>
    public void Settle() => _steps.Settle();

    /// <summary>
    /// Host values in device memory, for the launches that follow: the copy stays as it is until two more mebibytes are uploaded. In a step that may be
    /// repeated the n-th copy always has the same place.
    /// </summary>
    public nint Upload<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        var bytes = MemoryMarshal.AsBytes(values);
        if (_steps.Repeats)
        {
            if (_slot == _slots.Count) _slots.Add(new(_context));
            return _slots[_slot++].At(bytes);
        }
        if (bytes.Length > HalfBytes)
        {
            _large.Add(_context.Allocate(bytes.Length));
            Send(bytes, _large[^1]);
            return _large[^1];
        }
        if (_ringUsed + bytes.Length > 2 * HalfBytes) _ringUsed = 0;
        var address = _ring + _ringUsed;
        _ringUsed += (bytes.Length + Alignment - 1) / Alignment * Alignment;
        Send(bytes, address);
        return address;
    }

    /// <summary>Copies host bytes to device memory; the caller's memory is free again when this returns.</summary>
    public void Send(ReadOnlySpan<byte> bytes, nint to)
    {
        fixed (byte* from = bytes) Send((nint)from, to, bytes.Length);
    }

    /// <summary>
    /// Copies host memory of any size, such as a mapped file, to device memory, half a ring at a time: while the device takes one half the host
    /// fills the other. The caller's memory is free again when this returns.
    /// </summary>
    public void Send(nint from, nint to, long bytes)
    {
        _context.Enter();
        for (int part; bytes > 0; bytes -= part, from += part, to += part)
        {
            part = (int)Math.Min(bytes, HalfBytes);
            var at = Reserve(part);
            new ReadOnlySpan<byte>((void*)from, part).CopyTo(new((void*)at, part));
            _driver.CopyToDevice(at, to, part, _stream);
        }
    }

    /// <summary>Copies device memory to the host and waits for it, and so for all work before it.</summary>
    public void Fetch(nint from, Span<byte> bytes)
    {
        _context.Enter();
        _steps.End();
        fixed (byte* to = bytes)
        {
            if (!bytes.IsEmpty) _driver.CopyToHost(from, (nint)to, bytes.Length, _stream);
            Finish();
        }
    }

    /// <summary>Copies device memory to pinned host memory, in order and without waiting.</summary>
    public void SwapOut(nint from, nint to, long bytes)
    {
        _context.Enter();
        _steps.Settle();
        _driver.CopyToHost(from, to, bytes, _stream);
    }

    /// <summary>Copies pinned host memory to the device, in order and without waiting.</summary>
    public void SwapIn(nint from, nint to, long bytes)
    {
        _context.Enter();
        _steps.Settle();
        _driver.CopyToDevice(from, to, bytes, _stream);
    }

    /// <summary>Copies device memory.</summary>
    public void Copy(nint from, nint to, long bytes)
    {
        _context.Enter();
        _steps.Settle();
        if (bytes > 0) _driver.Copy(from, to, bytes, _stream);
    }

    /// <summary>Fills device memory with zeros.</summary>
    public void Clear(nint address, long bytes)
    {
        _context.Enter();
        _steps.Settle();
        if (bytes > 0) _driver.Clear(address, bytes, _stream);
    }

    /// <summary>Waits until all work has ended.</summary>
    public void Finish()
    {
        _context.Enter();
        _steps.End();
        _driver.Synchronize(_stream);
        foreach (var address in _large) _context.Free(address);
        _large.Clear();
    }

    /// <summary>Waits for all work and gives everything back.</summary>
    public void Dispose()
    {
        _steps.Dispose();
        foreach (var mark in _passed) _driver.DestroyEvent(mark);
        _driver.DestroyStream(_stream);
        _driver.FreeHost(_pinned);
        _driver.Free(_ring);
    }

    // A half is written again only after all copies from it have ended, which its mark tells.
    nint Reserve(int bytes)
    {
        if (_used + bytes > HalfBytes)
        {
            _driver.Record(_passed[_half], _stream);
            (_half, _used) = (1 - _half, 0);
            _driver.WaitFor(_passed[_half]);
        }
        var at = _pinned + _half * HalfBytes + _used;
        _used += (bytes + Alignment - 1) / Alignment * Alignment;
        return at;
    }
}
