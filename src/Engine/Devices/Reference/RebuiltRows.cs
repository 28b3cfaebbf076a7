namespace Serving.Devices.Reference;

/// <summary>Keys and values of a run's positions <c>first</c> to <c>last</c>, rebuilt from its latents as float32 rows, one a page.</summary>
sealed class RebuiltRows : IDisposable
{
    readonly HostMemory _memory = new();

    public RebuiltRows(Expansion expansion, AttendRows cached, ReadOnlySpan<int> pages, int first, int last)
    {
        var rotary = cached.Rotary;
        Rows = new(
            Take(last + 1, expansion.Keys.Stack, expansion.Keys.Outputs),
            rotary.IsEmpty ? default : Take(last + 1, 1, rotary.Width),
            Take(last + 1, expansion.Values.Stack, expansion.Values.Outputs));
        Table = [.. Enumerable.Range(0, last + 1)];
        for (var position = first; position <= last; position++)
        {
            for (var head = 0; head < expansion.Keys.Stack; head++)
            {
                var latent = Read(cached.Main, pages, position, head / (expansion.Keys.Stack / cached.Main.Groups));
                Rebuild(expansion.Keys, head, latent, Rows.Main, position);
                Rebuild(expansion.Values, head, latent, Rows.Value, position);
            }
            if (!rotary.IsEmpty) Write(Read(rotary, pages, position, 0), Rows.Rotary, position, 0);
        }
    }

    /// <summary>Keys, rotary rows and values.</summary>
    public AttendRows Rows { get; }

    /// <summary>Position p lies in page p.</summary>
    public int[] Table { get; }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _memory.Dispose();

    PagedRows Take(int rows, int heads, int width)
    {
        var bytes = (long)heads * width * sizeof(float);
        return new(_memory.Allocate(rows * bytes), bytes, 1, heads, width, CacheType.Float32);
    }

    static float[] Read(PagedRows stream, ReadOnlySpan<int> pages, int position, int group)
    {
        var stored = ReferenceAttention.Vector(stream, pages, position, group);
        var values = new float[stream.Width];
        for (var i = 0; i < values.Length; i++) values[i] = stream.Value(stored, i);
        return values;
    }

    static void Rebuild(Matrix matrix, int head, float[] latent, PagedRows rows, int position)
    {
        var values = new float[matrix.Outputs];
        ((ReferenceMatrix)matrix).Multiply(head, latent, [], values);
        Write(values, rows, position, head);
    }

    static void Write(float[] values, PagedRows rows, int position, int head) => rows.Store(values, rows.Vector(position, 0, head));
}
