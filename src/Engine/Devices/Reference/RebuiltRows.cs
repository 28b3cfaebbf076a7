namespace Serving.Devices.Reference;

/// <summary>
/// Keys and values of a run's positions <c>first</c> to <c>last</c>, rebuilt from its latents as float32 rows, one a page; keys have turned.
/// </summary>
sealed class RebuiltRows : IDisposable
{
    readonly HostMemory _memory = new();

    public RebuiltRows(Expansion expansion, KeyTurn turn, AttendRows cached, ReadOnlySpan<int> pages, int first, int last)
    {
        var (keys, values) = (expansion.Keys, expansion.Values);
        Rows = new(
            Take(last + 1, keys.Stack, keys.Outputs), Like(last + 1, cached.Rotary),
            values is null ? Like(last + 1, cached.Value) : Take(last + 1, values.Stack, values.Outputs), Like(last + 1, cached.SharedValue));
        Table = [.. Enumerable.Range(0, last + 1)];
        for (var position = first; position <= last; position++)
        {
            var (madeKeys, madeValues) = (new float[keys.Stack][], new float[keys.Stack][]);
            for (var head = 0; head < keys.Stack; head++)
            {
                var latent = Read(cached.Main, pages, position, head / (keys.Stack / cached.Main.Groups));
                madeKeys[head] = Product(keys, head, latent);
                if (values is not null) madeValues[head] = Product(values, head, latent);
            }
            if (expansion.Gate is { } gate) GatedRow.Apply(gate, (int)Read(cached.Ids, pages, position, 0)[0], madeKeys, madeValues);
            for (var head = 0; head < keys.Stack; head++)
            {
                var key = madeKeys[head];
                if (!turn.IsEmpty) ReferenceElements.Rotate(key.AsSpan(0, turn.Angles.Columns), turn.Angles.Row(position), turn.Interleaved);
                Write(key, Rows.Main, position, head);
                if (values is not null) Write(madeValues[head], Rows.Value, position, head);
            }
            Copy(cached.Rotary, Rows.Rotary, pages, position);
            if (values is null) Copy(cached.Value, Rows.Value, pages, position);
            Copy(cached.SharedValue, Rows.SharedValue, pages, position);
        }
    }

    /// <summary>Keys, rotary rows and values.</summary>
    public AttendRows Rows { get; }

    /// <summary>Position p lies in page p.</summary>
    public int[] Table { get; }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _memory.Dispose();

    PagedRows Like(int rows, PagedRows stream) => stream.IsEmpty ? default : Take(rows, stream.Groups, stream.Width);

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

    static float[] Product(Matrix matrix, int head, float[] latent)
    {
        var values = new float[matrix.Outputs];
        ((ReferenceMatrix)matrix).Multiply(head, latent, [], values);
        return values;
    }

    static void Copy(PagedRows from, PagedRows to, ReadOnlySpan<int> pages, int position)
    {
        for (var group = 0; group < from.Groups; group++) Write(Read(from, pages, position, group), to, position, group);
    }

    static void Write(float[] values, PagedRows rows, int position, int head) => rows.Store(values, rows.Vector(position, 0, head));
}
