namespace Serving.Devices.Cuda;

/// <summary>A device in use: its driver, memory and modules, and the one stream that all work goes to.</summary>
sealed class CudaContext : IDisposable
{
    const int OldestMajor = 8;

    // A context is current to a thread; every call of the driver needs one.
    [ThreadStatic]
    static nint Current;

    readonly Dictionary<string, CudaModule> _modules = [];
    readonly HashSet<nint> _memory = [], _hostMemory = [];
    readonly KernelImages _images;
    readonly int _device;
    readonly nint _context;

    /// <summary>Takes a device; throws <see cref="CudaException"/> with what to do where that cannot be.</summary>
    public CudaContext(CudaOptions options)
    {
        Driver = new(options.Driver);
        _device = Driver.Device(options.Ordinal);
        var (major, minor) = (Driver.Attribute(_device, DeviceAttribute.Major), Driver.Attribute(_device, DeviceAttribute.Minor));
        Name = Driver.Name(_device);
        if (major < OldestMajor)
            throw new CudaException($"cuda:{options.Ordinal} ({Name}) is of compute capability {major}.{minor}; {OldestMajor}.0 and newer are served.");
        Multiprocessors = Driver.Attribute(_device, DeviceAttribute.Multiprocessors);
        SharedBytes = Driver.Attribute(_device, DeviceAttribute.SharedBytes);
        _images = new(options, major * 10 + minor);
        _context = Driver.RetainContext(_device);
        try
        {
            Enter();
            Stream = new(this, options.Tell);
        }
        catch
        {
            Driver.ReleaseContext(_device);
            Current = 0;
            throw;
        }
    }

    /// <summary>The driver.</summary>
    public CudaDriver Driver { get; }

    /// <summary>The stream that all work goes to.</summary>
    public CudaStream Stream { get; }

    /// <summary>What the device is called.</summary>
    public string Name { get; }

    /// <summary>The device's multiprocessors.</summary>
    public int Multiprocessors { get; }

    /// <summary>Shared memory that a block may ask for.</summary>
    public int SharedBytes { get; }

    /// <summary>What the device is, for people.</summary>
    public string Description => $"CUDA {Driver.Version}, {Name} ({_images.Architecture}, {Multiprocessors} multiprocessors), kernels {_images.Origin}";

    /// <summary>The kernels of a source file, compiled and loaded when it is first asked for.</summary>
    public CudaModule Module(string source)
    {
        Enter();
        if (!_modules.TryGetValue(source, out var module)) _modules.Add(source, module = new(Driver, _images.Load(source, Driver.LoadModule)));
        return module;
    }

    /// <summary>Makes the context current to the calling thread.</summary>
    public void Enter()
    {
        if (Current == _context) return;
        Driver.SetCurrent(_context);
        Current = _context;
    }

    /// <summary>Takes device memory, whatever it holds, aligned to 256 bytes.</summary>
    public nint Allocate(long bytes)
    {
        Enter();
        var address = Driver.Allocate(Math.Max(bytes, 1));
        _memory.Add(address);
        return address;
    }

    /// <summary>Gives memory back, once all work on it has ended. That of a device that has failed goes with the process.</summary>
    public void Free(nint address)
    {
        if (!_memory.Remove(address)) throw new ArgumentException($"No block of this device begins at 0x{address:x}.", nameof(address));
        try
        {
            Enter();
            Stream.Settle();
            Driver.Free(address);
        }
        catch (CudaException error) when (error.IsLost)
        {
        }
    }

    /// <summary>Takes pinned host memory, whatever it holds.</summary>
    public nint AllocateHost(long bytes)
    {
        Enter();
        var address = Driver.AllocateHost(Math.Max(bytes, 1));
        _hostMemory.Add(address);
        return address;
    }

    /// <summary>Gives pinned memory back, once all work on it has ended.</summary>
    public void FreeHost(nint address)
    {
        if (!_hostMemory.Remove(address)) throw new ArgumentException($"No host memory of this device begins at 0x{address:x}.", nameof(address));
        try
        {
            Stream.Finish();
            Driver.FreeHost(address);
        }
        catch (CudaException error) when (error.IsLost)
        {
        }
    }

    /// <summary>Gives everything back. A device that has failed gives nothing back any more: its memory goes with the process.</summary>
    public void Dispose()
    {
        try
        {
            Enter();
            Stream.Dispose();
            foreach (var module in _modules.Values) module.Dispose();
            foreach (var address in _memory) Driver.Free(address);
            foreach (var address in _hostMemory) Driver.FreeHost(address);
            Driver.ReleaseContext(_device);
        }
        catch (CudaException)
        {
        }
        _images.Dispose();
        _memory.Clear();
        Current = 0;
    }
}
