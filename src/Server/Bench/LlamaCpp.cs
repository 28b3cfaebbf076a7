using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Serving.Server.Bench;

/// <summary>How llama.cpp keeps keys and values and computes attention; it has no one setting that is best for every model and context.</summary>
/// <param name="Cache">f32, f16, bf16 or q8_0.</param>
/// <param name="Flash">Whether flash attention is on.</param>
sealed record LlamaSetting(string Cache, bool Flash)
{
    /// <summary>All that are tried. A quantised cache of values needs flash attention.</summary>
    public static readonly LlamaSetting[] All = [new("f16", false), new("f16", true), new("bf16", false), new("bf16", true), new("q8_0", true)];

    /// <summary>As an option names it.</summary>
    public string Name => $"{Cache}:{(Flash ? "on" : "off")}";

    public override string ToString() => $"{Cache}, flash {(Flash ? "on" : "off")}";
}

/// <summary>llama.cpp's own library through its C interface (llama.h of release 0.5.0, as npm's @node-llama-cpp/linux-x64 3.22.1 ships it).</summary>
sealed class LlamaLibrary
{
    // ggml's numbers of types, and the file types of llama.h.
    static readonly Dictionary<string, int> Types = new() { ["f32"] = 0, ["f16"] = 1, ["q4_0"] = 2, ["q8_0"] = 8, ["bf16"] = 30 };
    static readonly Dictionary<string, int> FileTypes = new() { ["q4_0"] = 2, ["q8_0"] = 7, ["bf16"] = 32 };
    static readonly Log Silence = (_, _, _) => { };

    readonly nint _handle;

    LlamaLibrary(string folder)
    {
        _handle = NativeLibrary.Load(Directory.EnumerateFiles(folder, "libllama.v*.so").Concat(Directory.EnumerateFiles(folder, "libllama.so")).First());
        var ggml = NativeLibrary.Load(Directory.EnumerateFiles(folder, "libggml.v*.so").Concat(Directory.EnumerateFiles(folder, "libggml.so")).First());
        Get<SetLog>("llama_log_set")(Silence, 0);
        Marshal.GetDelegateForFunctionPointer<LoadBackends>(NativeLibrary.GetExport(ggml, "ggml_backend_load_all_from_path"))(folder);
        Get<Nothing>("llama_backend_init")();
        Version = Marshal.PtrToStringUTF8(Get<ReturnsAddress>("llama_version")())!;
        (Decode, Logits, Memory) = (Get<DecodeBatch>("llama_decode"), Get<LogitsOf>("llama_get_logits_ith"), Get<AddressOf>("llama_get_memory"));
        (Remove, Copy) = (Get<RemoveRows>("llama_memory_seq_rm"), Get<CopyRows>("llama_memory_seq_cp"));
        (FreeContext, FreeModel) = (Get<Release>("llama_free"), Get<Release>("llama_model_free"));
    }

    public delegate void Release(nint address);
    public delegate int DecodeBatch(nint context, Batch batch);
    public delegate nint LogitsOf(nint context, int index);
    public delegate nint AddressOf(nint address);
    public delegate byte RemoveRows(nint memory, int sequence, int from, int to);
    public delegate void CopyRows(nint memory, int from, int to, int first, int last);
    delegate void Nothing();
    delegate nint ReturnsAddress();
    delegate void Log(int level, nint text, nint data);
    delegate void SetLog(Log log, nint data);
    delegate void LoadBackends([MarshalAs(UnmanagedType.LPUTF8Str)] string folder);
    delegate Parameters Defaults();
    delegate nint LoadModel([MarshalAs(UnmanagedType.LPUTF8Str)] string path, Parameters parameters);
    delegate nint MakeContext(nint model, ContextParameters parameters);
    delegate ContextParameters ContextDefaults();
    delegate QuantizeParameters QuantizeDefaults();
    delegate uint Quantize(
        [MarshalAs(UnmanagedType.LPUTF8Str)] string from, [MarshalAs(UnmanagedType.LPUTF8Str)] string to, in QuantizeParameters parameters);

    public string Version { get; }

    public DecodeBatch Decode { get; }

    public LogitsOf Logits { get; }

    public AddressOf Memory { get; }

    public RemoveRows Remove { get; }

    public CopyRows Copy { get; }

    public Release FreeContext { get; }

    public Release FreeModel { get; }

    /// <summary>Loads the library that lies in a folder; throws with what to do when there is none.</summary>
    public static LlamaLibrary Open(string folder) =>
        OperatingSystem.IsLinux() && Directory.Exists(folder) && Directory.EnumerateFiles(folder, "libllama.*so").Any()
            ? new(Path.GetFullPath(folder))
            : throw new FileNotFoundException(
                $"No libllama lies in {folder}. Fetch it with: npm install --prefix artifacts/llama.cpp @node-llama-cpp/linux-x64@3.22.1, or name its folder with --llama-cpp.");

    /// <summary>A model's address.</summary>
    public nint Load(string path)
    {
        var model = Get<LoadModel>("llama_model_load_from_file")(path, Get<Defaults>("llama_model_default_params")());
        return model != 0 ? model : throw new InvalidOperationException($"llama.cpp does not load {path}.");
    }

    /// <summary>A context's address; 0 when llama.cpp refuses the setting.</summary>
    public nint Context(nint model, int sequences, int tokens, int threads, LlamaSetting setting)
    {
        var parameters = Get<ContextDefaults>("llama_context_default_params")();
        parameters.Tokens = (uint)(sequences * tokens);
        (parameters.Batch, parameters.MicroBatch, parameters.Sequences) = ((uint)Math.Max(512, sequences), 512, (uint)sequences);
        (parameters.Threads, parameters.BatchThreads) = (threads, threads);
        (parameters.Keys, parameters.Values, parameters.Flash) = (Types[setting.Cache], Types[setting.Cache], setting.Flash ? 1 : 0);
        return Get<MakeContext>("llama_init_from_model")(model, parameters);
    }

    /// <summary>Writes a copy of a model with other weights; the embedding of a 4-bit copy has 8 bits, as published files have it.</summary>
    public void Write(string from, string to, string type)
    {
        var parameters = Get<QuantizeDefaults>("llama_model_quantize_default_params")();
        parameters.FileType = FileTypes[type];
        parameters.Embedding = parameters.Output = type == "q4_0" ? Types["q8_0"] : Types[type];
        parameters.Requantizes = 1;
        if (Get<Quantize>("llama_model_quantize")(from, to, parameters) != 0)
            throw new InvalidOperationException($"llama.cpp could not write {to} from {from}.");
    }

    TDelegate Get<TDelegate>(string name) where TDelegate : Delegate => Marshal.GetDelegateForFunctionPointer<TDelegate>(NativeLibrary.GetExport(_handle, name));

    /// <summary>llama_batch.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Batch
    {
        public int Count;
        public nint Tokens, Embeddings, Positions, SequenceCounts, Sequences, Outputs;
    }

    // Structures that the library makes and takes by value are as large as any release may want: what lies behind its own end is
    // not read. Only the places that are set here are named.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    struct Parameters
    {
        [FieldOffset(0)] public nint Devices;
    }

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    struct ContextParameters
    {
        [FieldOffset(0)] public uint Tokens;
        [FieldOffset(4)] public uint Batch;
        [FieldOffset(8)] public uint MicroBatch;
        [FieldOffset(12)] public uint Sequences;
        [FieldOffset(28)] public int Threads;
        [FieldOffset(32)] public int BatchThreads;
        [FieldOffset(52)] public int Flash;
        [FieldOffset(104)] public int Keys;
        [FieldOffset(108)] public int Values;
    }

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    struct QuantizeParameters
    {
        [FieldOffset(4)] public int FileType;
        [FieldOffset(8)] public int Output;
        [FieldOffset(12)] public int Embedding;
        [FieldOffset(16)] public byte Requantizes;
    }
}

/// <summary>A model in llama.cpp, one setting, and as many sequences as decode at once.</summary>
sealed class LlamaRun : IDisposable
{
    readonly LlamaLibrary _library;
    readonly nint _context;
    readonly int _vocabulary, _sequences;
    readonly Pinned<int> _tokens = new(512), _positions = new(512), _counts = new(512), _ids;
    readonly Pinned<nint> _owners = new(512);
    readonly Pinned<byte> _outputs = new(512);

    LlamaRun(LlamaLibrary library, nint context, int sequences, int vocabulary)
    {
        (_library, _context, _sequences, _vocabulary) = (library, context, sequences, vocabulary);
        _ids = new(sequences);
        for (var i = 0; i < sequences; i++) _ids.Values[i] = i;
        _counts.Values.AsSpan().Fill(1);
    }

    /// <summary>A run, or null when llama.cpp refuses the setting.</summary>
    public static LlamaRun? Start(LlamaLibrary library, nint model, (int Sequences, int Tokens, int Threads) size, LlamaSetting setting, int vocabulary)
    {
        var context = library.Context(model, size.Sequences, size.Tokens, size.Threads, setting);
        return context == 0 ? null : new(library, context, size.Sequences, vocabulary);
    }

    /// <summary>Computes a prompt in sequence 0 and gives its rows to all others; returns the greedy next token.</summary>
    public int Prefill(ReadOnlySpan<int> prompt)
    {
        for (var sequence = 0; sequence < _sequences; sequence++) _library.Remove(_library.Memory(_context), sequence, -1, -1);
        for (var from = 0; from < prompt.Length; from += 512)
        {
            var count = Math.Min(512, prompt.Length - from);
            for (var i = 0; i < count; i++) Put(i, prompt[from + i], from + i, 0, from + i == prompt.Length - 1);
            Decode(count);
        }
        for (var sequence = 1; sequence < _sequences; sequence++) _library.Copy(_library.Memory(_context), 0, sequence, -1, -1);
        return Best((prompt.Length - 1) % 512);
    }

    /// <summary>Greedy steps of all sequences from a prompt on, whose rows are there; then forgets them.</summary>
    public void Generate(int token, int position, int steps)
    {
        Span<int> next = stackalloc int[_sequences];
        next.Fill(token);
        for (var step = 0; step < steps; step++)
        {
            for (var i = 0; i < _sequences; i++) Put(i, next[i], position + step, i, true);
            Decode(_sequences);
            for (var i = 0; i < _sequences; i++) next[i] = Best(i);
        }
        for (var i = 0; i < _sequences; i++) _library.Remove(_library.Memory(_context), i, position, -1);
    }

    public void Dispose()
    {
        _library.FreeContext(_context);
        IDisposable[] pinned = [_tokens, _positions, _counts, _ids, _owners, _outputs];
        foreach (var array in pinned) array.Dispose();
    }

    void Put(int index, int token, int position, int sequence, bool output) =>
        (_tokens.Values[index], _positions.Values[index], _owners.Values[index], _outputs.Values[index]) =
            (token, position, _ids.Address + sequence * sizeof(int), output ? (byte)1 : (byte)0);

    void Decode(int count)
    {
        var status = _library.Decode(_context, new()
        {
            Count = count, Tokens = _tokens.Address, Positions = _positions.Address, SequenceCounts = _counts.Address,
            Sequences = _owners.Address, Outputs = _outputs.Address,
        });
        if (status != 0) throw new InvalidOperationException($"llama_decode of {count} tokens returned {status}.");
    }

    int Best(int index)
    {
        var first = _library.Logits(_context, index);
        var logits = MemoryMarshal.CreateReadOnlySpan(ref Unsafe.AddByteOffset(ref Unsafe.NullRef<float>(), first), _vocabulary);
        var greatest = new Vector<float>(float.NegativeInfinity);
        foreach (var some in MemoryMarshal.Cast<float, Vector<float>>(logits)) greatest = Vector.Max(greatest, some);
        var most = float.NegativeInfinity;
        for (var i = 0; i < Vector<float>.Count; i++) most = MathF.Max(most, greatest[i]);
        return Math.Max(0, logits.IndexOf(most));
    }

    sealed class Pinned<T>(int count) : IDisposable where T : unmanaged
    {
        GCHandle _handle;

        public T[] Values { get; } = new T[count];

        public nint Address
        {
            get
            {
                if (!_handle.IsAllocated) _handle = GCHandle.Alloc(Values, GCHandleType.Pinned);
                return _handle.AddrOfPinnedObject();
            }
        }

        public void Dispose()
        {
            if (_handle.IsAllocated) _handle.Free();
        }
    }
}
