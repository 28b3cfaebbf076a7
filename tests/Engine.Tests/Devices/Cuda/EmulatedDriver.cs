using System.Runtime.InteropServices;
using Serving.Devices;

namespace Serving.Tests;

/// <summary>
/// A copy of the emulated driver with faults and figures of its own, since a library is loaded once for each file: what a test does to it,
/// no other sees.
/// </summary>
sealed unsafe class EmulatedDriver : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("serving-driver-").FullName;
    readonly nint _library;

    public EmulatedDriver()
    {
        var path = Path.Combine(_folder, "libcuda.so.1");
        File.Copy(CudaEmulator.Library, path);
        _library = NativeLibrary.Load(path);
        Options = new() { Driver = path, Compiler = path, CacheFolder = null, PtxFolder = Path.Combine(_folder, "ptx") };
    }

    /// <summary>Options of a device over it.</summary>
    public CudaOptions Options { get; }

    /// <summary>The CUDA version that it says it knows, as 12040 for 12.4.</summary>
    public int Version { set => ((delegate* unmanaged<int, int>)Find("emulator_version"))(value); }

    /// <summary>From the call of a name on that follows so many others of it, each of them ends with a status; "*" stands for any call.</summary>
    public void Fail(string call, int status, long spared = 0)
    {
        var name = Marshal.StringToCoTaskMemUTF8(call);
        _ = ((delegate* unmanaged<nint, int, nint, int>)Find("emulator_fail"))(name, status, (nint)spared);
        Marshal.FreeCoTaskMem(name);
    }

    /// <summary>A figure that it counts: "most pinned bytes", "pinned bytes", "pageable copies", "largest copy"; or how often a call of a name was made.</summary>
    public long Figure(string name)
    {
        var text = Marshal.StringToCoTaskMemUTF8(name);
        var figure = ((delegate* unmanaged<nint, nint>)Find("emulator_figure"))(text);
        Marshal.FreeCoTaskMem(text);
        return figure >= 0 ? figure : throw new ArgumentException($"The emulated driver counts no '{name}'.", nameof(name));
    }

    // The library stays: threads may still be in it.
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    nint Find(string name) => NativeLibrary.GetExport(_library, name);
}
