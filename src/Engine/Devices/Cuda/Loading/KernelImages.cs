using System.Security.Cryptography;
using System.Text;

namespace Serving.Devices.Cuda;

/// <summary>
/// Kernels from their sources, which are part of the program, to what the driver loads: compiled for the device at hand and kept in a folder
/// of the user, or where there is no compiler the PTX beside the program.
/// </summary>
sealed class KernelImages : IDisposable
{
    const string Prefix = "Serving.Devices.Cuda.Kernels.";

    static readonly Dictionary<string, string> Sources = typeof(KernelImages).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).ToDictionary(name => name[Prefix.Length..], Read);

    static readonly Dictionary<string, string> Headers = Sources
        .Where(source => source.Key.EndsWith(".cuh", StringComparison.Ordinal)).ToDictionary();

    readonly CudaOptions _options;
    readonly Nvrtc? _compiler;
    readonly int _capability;
    readonly Dictionary<string, Task<byte[]>> _made;

    /// <summary>Begins to make the images of a device whose compute capability is given as 80 for 8.0, all at once.</summary>
    public KernelImages(CudaOptions options, int capability)
    {
        (_options, _capability) = (options, capability);
        _compiler = options.Compiles ? Nvrtc.Load(options.Compiler) : null;
        _made = Names.ToDictionary(source => source, source => Task.Run(() => Make(source)));
    }

    /// <summary>As in sm_90.</summary>
    public string Architecture => $"sm_{_capability}";

    /// <summary>Where they come from, for people.</summary>
    public string Origin => _compiler is null ? "as PTX" : $"by NVRTC {_compiler.Version}";

    /// <summary>Loads the kernels of a source file. What was kept and cannot be loaded is compiled anew.</summary>
    public nint Load(string source, Loading load)
    {
        var image = _made[source].GetAwaiter().GetResult();
        try
        {
            return load(image);
        }
        catch (CudaException) when (_compiler is not null && Kept(source)?.Delete() == true)
        {
            return load(Make(source));
        }
    }

    /// <summary>Waits for images that are still made: they are kept for the next start, and nothing is written after this.</summary>
    public void Dispose()
    {
        try
        {
            Task.WaitAll(_made.Values.ToArray<Task>());
        }
        catch (AggregateException)
        {
            // Who wanted the image was told.
        }
    }

    /// <summary>The source files of kernels.</summary>
    public static IEnumerable<string> Names => Sources.Keys.Where(name => name.EndsWith(".cu", StringComparison.Ordinal));

    /// <summary>A source file's kernels for an architecture.</summary>
    public static byte[] Compile(Nvrtc compiler, string source, string architecture) => compiler.Compile(source, Sources[source], Headers, architecture);

    /// <summary>Gives an image to the driver.</summary>
    public delegate nint Loading(ReadOnlySpan<byte> image);

    byte[] Make(string source)
    {
        if (_compiler is null) return Ptx(source);
        var kept = Kept(source);
        if (kept?.Read() is { } image) return image;
        image = Compile(_compiler, source, Architecture);
        kept?.Write(image);
        return image;
    }

    KeptImage? Kept(string source) => _options.CacheFolder is { } folder ? new(folder, source, Key(source)) : null;

    // The PTX of the newest architecture that the device can run, with the zero that ends it.
    byte[] Ptx(string source)
    {
        var name = Path.GetFileNameWithoutExtension(source);
        var newest = Directory.Exists(_options.PtxFolder)
            ? Directory.EnumerateFiles(_options.PtxFolder, $"{name}.sm_*.ptx")
                .Select(file => (File: file, Capability: int.Parse(file.Split("sm_")[^1].Split('.')[0])))
                .Where(ptx => ptx.Capability <= _capability).OrderByDescending(ptx => ptx.Capability).FirstOrDefault().File
            : null;
        if (newest is null)
            throw new CudaException(
                $"The kernels cannot be compiled: there is no NVRTC (libnvrtc.so.12), and {_options.PtxFolder} has no PTX of {name} for {Architecture}. "
                + "Install NVRTC (Debian: libnvrtc12; it is part of the CUDA toolkit), or use the image that brings the PTX.");
        return [.. File.ReadAllBytes(newest), 0];
    }

    // What the result depends on, all of it.
    string Key(string source)
    {
        var text = new StringBuilder($"{Architecture} {_compiler!.Version}\0{Sources[source]}");
        foreach (var (name, header) in Headers.OrderBy(header => header.Key, StringComparer.Ordinal)) text.Append('\0').Append(name).Append('\0').Append(header);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..32];
    }

    static string Read(string resource)
    {
        using var reader = new StreamReader(typeof(KernelImages).Assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }
}
