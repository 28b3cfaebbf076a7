using Serving.Devices.Cuda;

namespace Serving.Devices;

/// <summary>Cached rows, attention and states.</summary>
public sealed partial class CudaDevice
{
    /// <inheritdoc/>
    public void WriteRows(Tensor source, PagedRows stream, RowBatch batch, PageBatch pages) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Attend(
        AttendShape shape, ScoreRule rule, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public void AttendExpanded(
        ScoreRule rule, Expansion expansion, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public void CopyPages(PagedRows stream, ReadOnlySpan<int> from, ReadOnlySpan<int> to) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Recall(Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Convolve(Tensor windows, Tensor weights, Tensor bias, Tensor destination) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Accumulate(RunningSum rule, Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public void Delta(DeltaRows rows, StateRows state, RowBatch batch, StateBatch places, Tensor destination) => throw new NotSupportedException();

    static void StartAttention(CudaContext context) => _ = context;

    static void EndAttention()
    {
    }
}
