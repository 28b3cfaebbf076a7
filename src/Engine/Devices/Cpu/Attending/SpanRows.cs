namespace Serving.Devices.Cpu;

/// <summary>
/// Scratch for one span: all cached rows widened to floats, and the keys and values that are rebuilt, a position after the other.
/// A head's vector is filled up to whole panels, as products write them.
/// </summary>
unsafe struct SpanRows(CpuMatrix keys, CpuMatrix values, CpuGate? gate, in AttendRows cached)
{
    const int Rows = AttendWork.SpanRows;

    readonly int _groups = cached.Main.Groups, _latent = cached.Main.Width, _rotary = cached.Rotary.Width, _ids = cached.Ids.Width;
    readonly int _embedded = gate is null ? 0 : gate.Embedding.Inputs;
    readonly int _key = keys.Panels * PanelSize.Outputs, _value = values.Panels * PanelSize.Outputs, _heads = keys.Stack;

    /// <summary>The key matrices of each group's heads, side by side.</summary>
    public readonly CpuMatrix[] Keys { get; } = keys.SideBySide(cached.Main.Groups);

    /// <summary>The value matrices of each group's heads, side by side.</summary>
    public readonly CpuMatrix[] Values { get; } = values.SideBySide(cached.Main.Groups);

    /// <summary>Bytes of the scratch.</summary>
    public readonly long Bytes => (long)Rows * (GatheredFloats + RebuiltFloats * (_embedded > 0 ? 2 : 1) + _embedded) * sizeof(float);

    /// <summary>Keys, rotary rows and values as streams of one row a page.</summary>
    public AttendRows Paged { get; private set; }

    /// <summary>Latents, then the rotary row and the id, of each position.</summary>
    public float* Gathered { get; private set; }

    /// <summary>Floats of a position's cached rows.</summary>
    public readonly int GatheredFloats => _groups * _latent + _rotary + _ids;

    readonly int RebuiltFloats => _heads * (_key + _value);

    /// <summary>Takes its memory.</summary>
    public void Lay(byte* memory)
    {
        Gathered = (float*)memory;
        var rebuilt = Gathered + (long)Rows * GatheredFloats;
        Paged = new(
            Stream(rebuilt, _heads, _key, _heads * _key),
            Stream(Gathered + _groups * _latent, 1, _rotary, GatheredFloats),
            Stream(rebuilt + (long)Rows * _heads * _key, _heads, _value, _heads * _value));
    }

    /// <summary>The first values of every rebuilt key.</summary>
    public readonly Tensor KeyVectors(int count, int width) => new(Paged.Main.Address, count, _heads, width, _heads * _key, _key);

    /// <summary>The first values of every rebuilt value.</summary>
    public readonly Tensor ValueVectors(int count, int width) => new(Paged.Value.Address, count, _heads, width, _heads * _value, _value);

    /// <summary>The id of a position's token, which is cached.</summary>
    public readonly int Id(int place) => (int)Gathered[(long)(place + 1) * GatheredFloats - 1];

    /// <summary>Room for the embedded ids, behind all that is rebuilt.</summary>
    public readonly Tensor Embedded(int count) => Tensor.Matrix((nint)(Behind + (long)Rows * RebuiltFloats), count, _embedded);

    /// <summary>Room for what gates the keys, laid out like them.</summary>
    public readonly Tensor KeyGates(int count) => new((nint)Behind, count, _heads, _key, _heads * _key, _key);

    /// <summary>Room for what gates the values, laid out like them.</summary>
    public readonly Tensor ValueGates(int count) => new((nint)(Behind + (long)Rows * _heads * _key), count, _heads, _value, _heads * _value, _value);

    readonly float* Behind => Gathered + (long)Rows * (GatheredFloats + RebuiltFloats);

    /// <summary>The latents of a group.</summary>
    public readonly Tensor Latents(int group, int count) =>
        new((nint)(Gathered + group * _latent), count, 1, _latent, GatheredFloats, _latent);

    /// <summary>What a group's heads have in a rebuilt stream, side by side.</summary>
    public readonly Tensor Side(in PagedRows stream, int group, int count)
    {
        var width = stream.Groups / _groups * stream.Width;
        return new(stream.Address + group * width * sizeof(float), count, 1, width, stream.Groups * stream.Width, width);
    }

    static PagedRows Stream(float* address, int heads, int width, int stride) => width == 0 ? default
        : new((nint)address, (long)stride * sizeof(float), 1, heads, width, CacheType.Float32);
}
