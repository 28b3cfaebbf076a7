using Serving.Devices.Cuda;

namespace Serving.Devices;

/// <summary>Cached rows, attention and states.</summary>
public sealed partial class CudaDevice
{
    readonly PageOperations _pages;
    readonly Attending _attending;
    readonly Expanding _expanding;
    readonly StateOperations _states;

    /// <inheritdoc/>
    public void WriteRows(Tensor source, PagedRows stream, RowBatch batch, PageBatch pages)
    {
        ShapeChecks.WriteRows(source, stream, batch, pages);
        _pages.Write(source, stream, batch, pages);
    }

    /// <inheritdoc/>
    public void Attend(
        AttendShape shape, ScoreRule rule, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination)
    {
        ShapeChecks.Attend(shape, cached, batch, pages);
        ShapeChecks.Attend(shape, rule, batch, main, rotary, destination);
        _attending.Attend(shape, rule, main, rotary, cached, batch, pages, destination);
    }

    /// <inheritdoc/>
    public void AttendExpanded(
        ScoreRule rule, Expansion expansion, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination)
    {
        ShapeChecks.AttendExpanded(expansion, cached, batch, pages);
        ShapeChecks.Attend(expansion.ShapeOver(cached), rule, batch, main, rotary, destination);
        _expanding.Attend(rule, expansion, main, rotary, cached, batch, pages, destination);
    }

    /// <inheritdoc/>
    public void CopyPages(PagedRows stream, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        ShapeChecks.CopyPages(from, to);
        _pages.Copy(stream, from, to);
    }

    /// <inheritdoc/>
    public nint AllocateHost(long bytes) => _context.AllocateHost(bytes);

    /// <inheritdoc/>
    public void FreeHost(nint address) => _context.FreeHost(address);

    /// <inheritdoc/>
    public void SwapPages(Swap way, PagedRows stream, PagedRows host, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        ShapeChecks.SwapPages(stream, host, from, to);
        _pages.Swap(way, stream, host, from, to);
    }

    /// <inheritdoc/>
    public void Recall(Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        ShapeChecks.Recall(source, state, batch, places, destination);
        _states.Recall(source, state, batch, places, destination);
    }

    /// <inheritdoc/>
    public void Convolve(Tensor windows, Tensor weights, Tensor bias, Tensor destination)
    {
        ShapeChecks.Convolve(windows, weights, bias, destination);
        _states.Convolve(windows, weights, bias, destination);
    }

    /// <inheritdoc/>
    public void Accumulate(RunningSum rule, Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        ShapeChecks.Accumulate(source, state, batch, places, destination);
        _states.Accumulate(rule, source, state, batch, places, destination);
    }

    /// <inheritdoc/>
    public void Delta(DeltaRows rows, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        ShapeChecks.Delta(rows, state, batch, places, destination);
        _states.Delta(rows, state, batch, places, destination);
    }
}
