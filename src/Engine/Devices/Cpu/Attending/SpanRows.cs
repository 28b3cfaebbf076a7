namespace Serving.Devices.Cpu;

/// <summary>
/// Scratch for one span: latents and rotary rows widened to floats, and the keys and values that are rebuilt, a position after the other.
/// A head's vector is filled up to whole panels, as products write them.
/// </summary>
unsafe struct SpanRows(CpuMatrix keys, CpuMatrix values, in AttendRows cached)
{
    const int Rows = AttendWork.SpanRows;

    readonly int _groups = cached.Main.Groups, _latent = cached.Main.Width, _rotary = cached.Rotary.Width;
    readonly int _key = keys.Panels * PanelSize.Outputs, _value = values.Panels * PanelSize.Outputs, _heads = keys.Stack;

    /// <summary>The key matrices of each group's heads, side by side.</summary>
    public readonly CpuMatrix[] Keys { get; } = keys.SideBySide(cached.Main.Groups);

    /// <summary>The value matrices of each group's heads, side by side.</summary>
    public readonly CpuMatrix[] Values { get; } = values.SideBySide(cached.Main.Groups);

    /// <summary>Bytes of the scratch.</summary>
    public readonly long Bytes => (long)Rows * (GatheredFloats + _heads * (_key + _value)) * sizeof(float);

    /// <summary>Keys, rotary rows and values as streams of one row a page.</summary>
    public AttendRows Paged { get; private set; }

    /// <summary>Latents, then the rotary row, of each position.</summary>
    public float* Gathered { get; private set; }

    /// <summary>Floats of a position's latents and rotary row.</summary>
    public readonly int GatheredFloats => _groups * _latent + _rotary;

    /// <summary>Takes its memory.</summary>
    public void Lay(byte* memory)
    {
        Gathered = (float*)memory;
        var rebuilt = Gathered + (long)Rows * GatheredFloats;
        Paged = new(
            Stream(rebuilt, _heads, _key, _heads * _key),
            _rotary == 0 ? default : Stream(Gathered + _groups * _latent, 1, _rotary, GatheredFloats),
            Stream(rebuilt + (long)Rows * _heads * _key, _heads, _value, _heads * _value));
    }

    /// <summary>The latents of a group.</summary>
    public readonly Tensor Latents(int group, int count) =>
        new((nint)(Gathered + group * _latent), count, 1, _latent, GatheredFloats, _latent);

    /// <summary>What a group's heads have in a rebuilt stream, side by side.</summary>
    public readonly Tensor Side(in PagedRows stream, int group, int count)
    {
        var width = stream.Groups / _groups * stream.Width;
        return new(stream.Address + group * width * sizeof(float), count, 1, width, stream.Groups * stream.Width, width);
    }

    static PagedRows Stream(float* address, int heads, int width, int stride) =>
        new((nint)address, (long)stride * sizeof(float), 1, heads, width, CacheType.Float32);
}
