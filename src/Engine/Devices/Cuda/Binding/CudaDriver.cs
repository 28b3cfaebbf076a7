using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>The calls of <c>libcuda.so.1</c> that the device makes, found at run time; every failure is a <see cref="CudaException"/> with its call.</summary>
sealed unsafe partial class CudaDriver
{
    const string Default = "libcuda.so.1";

    // 11.4 is the first driver that loads what the NVRTC of 12 makes for the devices that are served.
    const int OldestVersion = 11040;

    readonly delegate* unmanaged<ulong, nint, nuint, nint, int> _copyToDevice;
    readonly delegate* unmanaged<nint, ulong, nuint, nint, int> _copyToHost;
    readonly delegate* unmanaged<ulong, ulong, nuint, nint, int> _copy;
    readonly delegate* unmanaged<ulong, byte, nuint, nint, int> _fill;
    readonly delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> _launch;
    readonly delegate* unmanaged<nint, int> _setCurrent, _synchronize, _waitForEvent;
    readonly delegate* unmanaged<nint, nint, int> _record;
    readonly delegate* unmanaged<ulong*, nuint, int> _allocate;
    readonly delegate* unmanaged<ulong, int> _free;
    readonly delegate* unmanaged<nuint*, nuint*, int> _memoryInfo;
    readonly delegate* unmanaged<int, byte**, int> _errorName;
    readonly nint _library;

    /// <summary>Loads and initialises the driver at a path, or the system's.</summary>
    public CudaDriver(string? path = null)
    {
        path ??= Default;
        if (!NativeLibrary.TryLoad(path, out _library))
            throw new CudaException($"There is no CUDA driver: {path} cannot be loaded. Install NVIDIA's driver, or start the container with its GPUs (--gpus all).");
        _errorName = (delegate* unmanaged<int, byte**, int>)Find("cuGetErrorName");
        Call("cuInit", ((delegate* unmanaged<uint, int>)Find("cuInit"))(0));
        var version = 0;
        Call("cuDriverGetVersion", ((delegate* unmanaged<int*, int>)Find("cuDriverGetVersion"))(&version));
        if (version < OldestVersion)
            throw new CudaException($"The CUDA driver is of version {Dotted(version)}; {Dotted(OldestVersion)} is the oldest that is served. Install a newer one.");
        Version = Dotted(version);

        _copyToDevice = (delegate* unmanaged<ulong, nint, nuint, nint, int>)Find("cuMemcpyHtoDAsync_v2");
        _copyToHost = (delegate* unmanaged<nint, ulong, nuint, nint, int>)Find("cuMemcpyDtoHAsync_v2");
        _copy = (delegate* unmanaged<ulong, ulong, nuint, nint, int>)Find("cuMemcpyDtoDAsync_v2");
        _fill = (delegate* unmanaged<ulong, byte, nuint, nint, int>)Find("cuMemsetD8Async");
        _launch = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)Find("cuLaunchKernel");
        _setCurrent = (delegate* unmanaged<nint, int>)Find("cuCtxSetCurrent");
        _synchronize = (delegate* unmanaged<nint, int>)Find("cuStreamSynchronize");
        _waitForEvent = (delegate* unmanaged<nint, int>)Find("cuEventSynchronize");
        _record = (delegate* unmanaged<nint, nint, int>)Find("cuEventRecord");
        _allocate = (delegate* unmanaged<ulong*, nuint, int>)Find("cuMemAlloc_v2");
        _free = (delegate* unmanaged<ulong, int>)Find("cuMemFree_v2");
        _memoryInfo = (delegate* unmanaged<nuint*, nuint*, int>)Find("cuMemGetInfo_v2");

        static string Dotted(int version) => $"{version / 1000}.{version % 1000 / 10}";
    }

    /// <summary>The newest CUDA that the driver knows, as in "12.4".</summary>
    public string Version { get; }

    /// <summary>The device of a number; throws with how many there are.</summary>
    public int Device(int ordinal)
    {
        var (count, device) = (0, 0);
        Call("cuDeviceGetCount", ((delegate* unmanaged<int*, int>)Find("cuDeviceGetCount"))(&count));
        if (count == 0) throw CudaStatus.Failed("cuDeviceGetCount", CudaStatus.NoDevice, "no device");
        if (ordinal < 0 || ordinal >= count)
            throw new CudaException($"There is no device cuda:{ordinal}: the driver knows {count}, from cuda:0 to cuda:{count - 1}.");
        Call("cuDeviceGet", ((delegate* unmanaged<int*, int, int>)Find("cuDeviceGet"))(&device, ordinal));
        return device;
    }

    /// <summary>What a device is called.</summary>
    public string Name(int device)
    {
        var name = stackalloc byte[256];
        Call("cuDeviceGetName", ((delegate* unmanaged<byte*, int, int, int>)Find("cuDeviceGetName"))(name, 256, device));
        return Marshal.PtrToStringUTF8((nint)name) ?? "";
    }

    /// <summary>A number that describes a device (CUdevice_attribute).</summary>
    public int Attribute(int device, DeviceAttribute attribute)
    {
        var value = 0;
        Call("cuDeviceGetAttribute", ((delegate* unmanaged<int*, int, int, int>)Find("cuDeviceGetAttribute"))(&value, (int)attribute, device));
        return value;
    }

    /// <summary>The device's primary context, which must be given back.</summary>
    public nint RetainContext(int device)
    {
        nint context = 0;
        Call("cuDevicePrimaryCtxRetain", ((delegate* unmanaged<nint*, int, int>)Find("cuDevicePrimaryCtxRetain"))(&context, device));
        return context;
    }

    /// <summary>Gives the primary context back.</summary>
    public void ReleaseContext(int device) =>
        Call("cuDevicePrimaryCtxRelease_v2", ((delegate* unmanaged<int, int>)Find("cuDevicePrimaryCtxRelease_v2"))(device));

    /// <summary>Makes a context the calling thread's own.</summary>
    public void SetCurrent(nint context) => Call("cuCtxSetCurrent", _setCurrent(context));

    /// <summary>Free and whole memory of the current context's device.</summary>
    public (long Free, long Total) Memory()
    {
        nuint free = 0, total = 0;
        Call("cuMemGetInfo_v2", _memoryInfo(&free, &total));
        return ((long)free, (long)total);
    }

    /// <summary>Takes device memory, whatever it holds; throws with the numbers where there is too little.</summary>
    public nint Allocate(long bytes)
    {
        ulong address = 0;
        var status = _allocate(&address, (nuint)bytes);
        if (status == CudaStatus.OutOfMemory)
        {
            var (free, total) = Memory();
            throw new CudaException(
                $"cuMemAlloc_v2 failed with status {status}: the device is out of memory. {bytes:N0} bytes were asked for, {free:N0} of {total:N0} are free. "
                + "Give the cache less (--kv-cache-memory-bytes), or take a device with more.",
                status);
        }
        Call("cuMemAlloc_v2", status);
        return (nint)address;
    }

    /// <summary>Gives device memory back, once all work on it has ended.</summary>
    public void Free(nint address) => Call("cuMemFree_v2", _free((ulong)address));

    /// <summary>Takes host memory that the device copies from without a stop between; throws with the numbers where the system gives none.</summary>
    public nint AllocateHost(long bytes)
    {
        nint address = 0;
        var status = ((delegate* unmanaged<nint*, nuint, uint, int>)Find("cuMemHostAlloc"))(&address, (nuint)bytes, 0);
        if (status == CudaStatus.OutOfMemory)
            throw new CudaException(
                $"cuMemHostAlloc failed with status {status}: the system gives no {bytes:N0} bytes of host memory that is never swapped out. "
                + "Give the process more memory, or swap less (--swap-memory-bytes).", status);
        Call("cuMemHostAlloc", status);
        return address;
    }

    /// <summary>Gives such host memory back.</summary>
    public void FreeHost(nint address) => Call("cuMemFreeHost", ((delegate* unmanaged<nint, int>)Find("cuMemFreeHost"))(address));

    /// <summary>Copies host memory to the device, in order on a stream.</summary>
    public void CopyToDevice(nint from, nint to, long bytes, nint stream) => Call("cuMemcpyHtoDAsync_v2", _copyToDevice((ulong)to, from, (nuint)bytes, stream));

    /// <summary>Copies device memory to the host, in order on a stream.</summary>
    public void CopyToHost(nint from, nint to, long bytes, nint stream) => Call("cuMemcpyDtoHAsync_v2", _copyToHost(to, (ulong)from, (nuint)bytes, stream));

    /// <summary>Copies device memory, in order on a stream.</summary>
    public void Copy(nint from, nint to, long bytes, nint stream) => Call("cuMemcpyDtoDAsync_v2", _copy((ulong)to, (ulong)from, (nuint)bytes, stream));

    /// <summary>Fills device memory with zeros, in order on a stream.</summary>
    public void Clear(nint address, long bytes, nint stream) => Call("cuMemsetD8Async", _fill((ulong)address, 0, (nuint)bytes, stream));

    /// <summary>A stream that waits for no other.</summary>
    public nint CreateStream()
    {
        nint stream = 0;
        Call("cuStreamCreate", ((delegate* unmanaged<nint*, uint, int>)Find("cuStreamCreate"))(&stream, 1));
        return stream;
    }

    /// <summary>Ends a stream.</summary>
    public void DestroyStream(nint stream) => Call("cuStreamDestroy_v2", ((delegate* unmanaged<nint, int>)Find("cuStreamDestroy_v2"))(stream));

    /// <summary>Waits for all work of a stream.</summary>
    public void Synchronize(nint stream) => Call("cuStreamSynchronize", _synchronize(stream));

    /// <summary>A mark in a stream's work, without a time.</summary>
    public nint CreateEvent()
    {
        nint mark = 0;
        Call("cuEventCreate", ((delegate* unmanaged<nint*, uint, int>)Find("cuEventCreate"))(&mark, 2));
        return mark;
    }

    /// <summary>Ends a mark.</summary>
    public void DestroyEvent(nint mark) => Call("cuEventDestroy_v2", ((delegate* unmanaged<nint, int>)Find("cuEventDestroy_v2"))(mark));

    /// <summary>Sets a mark behind the work that a stream has so far.</summary>
    public void Record(nint mark, nint stream) => Call("cuEventRecord", _record(mark, stream));

    /// <summary>Waits until a mark's stream has passed it.</summary>
    public void WaitFor(nint mark) => Call("cuEventSynchronize", _waitForEvent(mark));

    /// <summary>Loads compiled kernels: a cubin, or PTX that ends with a zero.</summary>
    public nint LoadModule(ReadOnlySpan<byte> image)
    {
        nint module = 0;
        fixed (byte* bytes = image)
            Call("cuModuleLoadDataEx", ((delegate* unmanaged<nint*, byte*, uint, void*, void*, int>)Find("cuModuleLoadDataEx"))(&module, bytes, 0, null, null));
        return module;
    }

    /// <summary>Gives a module back.</summary>
    public void UnloadModule(nint module) => Call("cuModuleUnload", ((delegate* unmanaged<nint, int>)Find("cuModuleUnload"))(module));

    /// <summary>A kernel of a module by its name.</summary>
    public nint Function(nint module, string name)
    {
        nint function = 0;
        var text = Marshal.StringToCoTaskMemUTF8(name);
        var status = ((delegate* unmanaged<nint*, nint, nint, int>)Find("cuModuleGetFunction"))(&function, module, text);
        Marshal.FreeCoTaskMem(text);
        Call($"cuModuleGetFunction({name})", status);
        return function;
    }

    /// <summary>Lets a kernel take as much dynamic shared memory as a block may have.</summary>
    public void AllowShared(nint function, int bytes)
    {
        const int MaxDynamicShared = 8;
        Call("cuFuncSetAttribute", ((delegate* unmanaged<nint, int, int, int>)Find("cuFuncSetAttribute"))(function, MaxDynamicShared, bytes));
    }

    /// <summary>Puts a kernel with one argument on a stream.</summary>
    public void Launch(nint function, Grid grid, int threads, int sharedBytes, nint stream, void* arguments) => Call("cuLaunchKernel",
        _launch(function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)threads, 1, 1, (uint)sharedBytes, stream, &arguments, null));

    nint Find(string name) => NativeLibrary.TryGetExport(_library, name, out var address)
        ? address
        : throw new CudaException($"The CUDA driver has no call {name}: it is too old, or no CUDA driver at all. Install a newer one.");

    void Call(string call, int status)
    {
        if (status != CudaStatus.Success) throw Failed(call, status);
    }

    CudaException Failed(string call, int status)
    {
        byte* name = null;
        _ = _errorName(status, &name);
        return CudaStatus.Failed(call, status, name is null ? "no name" : Marshal.PtrToStringUTF8((nint)name)!);
    }
}
