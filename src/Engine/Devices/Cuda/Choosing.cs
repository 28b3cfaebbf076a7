using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>
/// The choice of tokens (choose.cu). What is asked for lies in tables on the device, sent once for a batch, and what was chosen stays there until
/// all of it is read: launches carry addresses alone.
/// </summary>
sealed class Choosing
{
    // As many rows are copied at a time as may have to be edited.
    const int EditedRows = 32;

    readonly CudaStream _stream;
    readonly CudaFunction _choose;
    readonly DeviceArray<byte> _terms, _masks, _biases, _bans, _counts;
    readonly CudaScratch _edited, _chosen;
    ChooseArguments _tables;
    int _next;

    /// <summary>The operation of a context.</summary>
    public Choosing(CudaContext context)
    {
        _stream = context.Stream;
        _choose = context.Module("choose.cu").Function("choose");
        (_terms, _masks, _biases, _bans, _counts, _edited, _chosen) =
            (new(context), new(context), new(context), new(context), new(context), new(context), new(context));
    }

    /// <summary>Chooses for the batch's rows from one on.</summary>
    public void Choose(Tensor logits, ChoiceBatch batch, int firstRow)
    {
        if (firstRow == 0) Send(batch);
        var terms = batch.Terms;
        while (_next < terms.Length && terms[_next].Row < firstRow + logits.Rows)
        {
            var (first, edits) = (_next, false);
            for (; _next < terms.Length && _next - first < EditedRows && terms[_next].Row < firstRow + logits.Rows; _next++) edits |= terms[_next].Edits;
            var edited = edits ? _edited.Take((long)EditedRows * logits.Columns * sizeof(float)) : 0;
            _stream.Launch(
                _choose, new(_next - first), Threads(logits.Columns),
                _tables with { Logits = logits, Edited = edited, First = first, FirstRow = firstRow });
        }
    }

    /// <summary>The ids of all choices.</summary>
    public void Read(Span<int> ids) => _stream.Fetch(_tables.Chosen, MemoryMarshal.AsBytes(ids));

    void Send(ChoiceBatch batch)
    {
        _next = 0;
        _tables = new(
            default, 0, At(_terms, batch.Terms), At(_masks, batch.Masks), At(_biases, batch.Biases), At(_bans, batch.Bans), At(_counts, batch.Counts),
            _chosen.Take((long)batch.Terms.Length * sizeof(int)), 0, 0);
    }

    static nint At<T>(DeviceArray<byte> array, ReadOnlySpan<T> values) where T : unmanaged => array.At(MemoryMarshal.AsBytes(values));

    // Two warps share a search at least. Results do not depend on the number.
    static int Threads(int vocabulary) => Math.Clamp((vocabulary / 4 + 31) / 32 * 32, 64, 1024);

    readonly record struct ChooseArguments(
        Tensor Logits, nint Edited, nint Terms, nint Masks, nint Biases, nint Bans, nint Counts, nint Chosen, int First, int FirstRow);
}
