using System.Runtime.InteropServices;
using System.Text;

namespace Serving.Devices.Cuda;

/// <summary>NVIDIA's run-time compiler: CUDA C++ to a cubin for one kind of device. It is found at run time, and may be absent.</summary>
sealed unsafe class Nvrtc
{
    static readonly string[] Names = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so"];

    readonly nint _library;

    Nvrtc(nint library)
    {
        _library = library;
        int major, minor;
        Call("nvrtcVersion", ((delegate* unmanaged<int*, int*, int>)Find("nvrtcVersion"))(&major, &minor));
        Version = $"{major}.{minor}";
    }

    /// <summary>As in "12.4".</summary>
    public string Version { get; }

    /// <summary>Loads the compiler at a path, or the newest that the system has; null where there is none.</summary>
    public static Nvrtc? Load(string? path = null)
    {
        foreach (var name in path is null ? Names : [path])
            if (NativeLibrary.TryLoad(name, out var library)) return new(library);
        return path is null ? null : throw new CudaException($"The compiler {path} cannot be loaded.");
    }

    /// <summary>Compiles a source, whose includes are given by name, for an architecture such as sm_90; throws with the compiler's log.</summary>
    public byte[] Compile(string name, string source, IReadOnlyDictionary<string, string> headers, string architecture)
    {
        using var memory = new Texts();
        string[] options = [$"--gpu-architecture={architecture}", "--std=c++17", "--fmad=false"];
        nint program = 0;
        fixed (nint* texts = memory.All(headers.Values))
        fixed (nint* names = memory.All(headers.Keys))
            Call("nvrtcCreateProgram", ((delegate* unmanaged<nint*, nint, nint, int, nint*, nint*, int>)Find("nvrtcCreateProgram"))(
                &program, memory.Of(source), memory.Of(name), headers.Count, texts, names));
        try
        {
            int status;
            fixed (nint* given = memory.All(options))
                status = ((delegate* unmanaged<nint, int, nint*, int>)Find("nvrtcCompileProgram"))(program, options.Length, given);
            if (status != 0)
                throw new CudaException(
                    $"{name} cannot be compiled for {architecture} by NVRTC {Version} (nvrtcCompileProgram, status {status}). "
                    + $"SERVING_CUDA_COMPILER names another NVRTC; devices of {architecture} may need a newer one. Its log:\n{Log(program)}\n");
            return Bytes(program, "nvrtcGetCUBIN");
        }
        finally
        {
            _ = ((delegate* unmanaged<nint*, int>)Find("nvrtcDestroyProgram"))(&program);
        }
    }

    string Log(nint program) => Encoding.UTF8.GetString(Bytes(program, "nvrtcGetProgramLog")).TrimEnd('\0', '\n');

    byte[] Bytes(nint program, string call)
    {
        nuint size = 0;
        Call($"{call}Size", ((delegate* unmanaged<nint, nuint*, int>)Find($"{call}Size"))(program, &size));
        var bytes = new byte[size];
        fixed (byte* to = bytes) Call(call, ((delegate* unmanaged<nint, byte*, int>)Find(call))(program, to));
        return bytes;
    }

    nint Find(string name) => NativeLibrary.TryGetExport(_library, name, out var address)
        ? address
        : throw new CudaException($"NVRTC has no call {name}: it is older than 11.2. Install a newer one.");

    static void Call(string call, int status)
    {
        if (status != 0) throw new CudaException($"{call} failed with status {status} of NVRTC. SERVING_CUDA_COMPILER names another one.");
    }

    // Texts that end with a zero, for as long as a call needs them.
    sealed class Texts : IDisposable
    {
        readonly List<nint> _texts = [];

        public nint Of(string text)
        {
            _texts.Add(Marshal.StringToCoTaskMemUTF8(text));
            return _texts[^1];
        }

        public nint[] All(IEnumerable<string> texts) => [.. texts.Select(Of)];

        public void Dispose()
        {
            foreach (var text in _texts) Marshal.FreeCoTaskMem(text);
        }
    }
}
