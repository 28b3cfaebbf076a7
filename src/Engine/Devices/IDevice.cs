namespace Serving.Devices;

/// <summary>
/// Operations on memory, each run to its end before the call returns or in order on the device's stream. A row of a result depends
/// on that row's inputs alone: never on the other rows, their number, the batch or the thread count, to the last bit.
/// </summary>
public interface IDevice : IDisposable
{
    /// <summary>What the device is, for people: its kind, kernels and threads.</summary>
    string Description { get; }

    /// <summary>Memory that the device can still give, in bytes.</summary>
    long FreeBytes { get; }

    /// <summary>Measures what the device reaches on the plainest work; takes a good part of a second.</summary>
    DeviceCeiling Measure();

    /// <summary>Takes zeroed memory, aligned to 64 bytes. It lives until <see cref="Free"/> or the device's end.</summary>
    nint Allocate(long bytes);

    /// <summary>Gives memory back.</summary>
    void Free(nint address);

    /// <summary>Brings a stored matrix [outputs x inputs], or a stack of them [stack x outputs x inputs], into the device's own order.</summary>
    /// <param name="source">The stored matrix; its memory need not outlive the call unless the device says so in <see cref="KeepsSource"/>.</param>
    Matrix Load(StoredTensor source);

    /// <summary>True when the matrices of <see cref="Load"/> read from the mapped source for as long as they live.</summary>
    bool KeepsSource { get; }

    /// <summary>
    /// Whether steps of one size are recorded and repeated as a whole. Then a model fills steps up to few sizes, with rows that nobody reads.
    /// </summary>
    bool RepeatsSteps => false;

    /// <summary>
    /// A step of a model begins; it ends where the next begins. <paramref name="repeats"/> says that what is asked for in it is likely to be asked for
    /// again, with other host values and other contents of memory alone.
    /// </summary>
    void BeginStep(bool repeats)
    {
    }

    /// <summary>Copies host values to the device.</summary>
    void Write(ReadOnlySpan<float> source, Tensor destination);

    /// <summary>Copies device values to the host, row by row; waits for what was asked before.</summary>
    void Read(Tensor source, Span<float> destination);

    /// <summary>destination[i] = table[ids[i]] * scale.</summary>
    void Embed(Matrix table, ReadOnlySpan<int> ids, float scale, Tensor destination);

    /// <summary>destination = source W^T + bias, one matrix for all rows. An element sums over its inputs in one order for any number of rows.</summary>
    void Multiply(Matrix weights, Tensor source, Tensor bias, Tensor destination);

    /// <summary>Matrix h of the stack on vector h of every row: destination[r, h] = W[h] source[r, h].</summary>
    void MultiplyHeads(Matrix weights, Tensor source, Tensor destination);

    /// <summary>
    /// Row r * Chosen + j of the destination is the matrix of the j-th expert of row r, times row r of the source
    /// (or row r * Chosen + j when the source has that many rows), plus the expert's row of the biases [experts x outputs], if any.
    /// Experts past the end of the stack have no weights: their rows become zero.
    /// </summary>
    void MultiplyExperts(Matrix experts, Tensor source, Tensor biases, RoutedExperts routed, Tensor destination);

    /// <summary>Chooses experts from router logits [rows x experts]. A bias [1 x experts], if any, moves the choice but not the weights.</summary>
    void Route(RoutingRule rule, Tensor logits, Tensor bias, RoutedExperts routed);

    /// <summary>
    /// destination[r] += sum over j of weight[r, j] * source[r * Chosen + j], in the order of j. Where the j-th expert's number is not
    /// below <paramref name="experts"/> it is the identity, and row r of <paramref name="input"/> stands in for its output.
    /// </summary>
    void CombineExperts(Tensor source, Tensor input, int experts, RoutedExperts routed, Tensor destination);

    /// <summary>Normalises every vector; source and destination may be the same.</summary>
    void Normalize(Norm norm, Tensor source, Tensor destination);

    /// <summary>
    /// Turns pairs of every vector, in place, by the angles of its row: pair i by (cos, sin) = angles[r, i], angles[r, Width / 2 + i].
    /// A pair is (i, i + Width / 2), or (2i, 2i + 1) when interleaved.
    /// </summary>
    void Rotate(Tensor vectors, Tensor angles, bool interleaved);

    /// <summary>destination = gate and up by the rule, or its activation of gate alone when <paramref name="up"/> is empty.</summary>
    void Activate(GateRule rule, Tensor gate, Tensor up, Tensor destination);

    /// <summary>destination += source * scale.</summary>
    void Add(Tensor source, float scale, Tensor destination);

    /// <summary>
    /// destination *= factor; or, when <paramref name="factors"/> is not empty, row r times factors[r] [rows x 1],
    /// or vector h of row r times factors[r, h] [rows x heads].
    /// </summary>
    void Scale(Tensor destination, float factor, Tensor factors);

    /// <summary>destination[i] = source[rows[i]].</summary>
    void Gather(Tensor source, ReadOnlySpan<int> rows, Tensor destination);

    /// <summary>Stores each row's vectors [rows x groups x width] in its page, rounded to the stream's type.</summary>
    void WriteRows(Tensor source, PagedRows stream, RowBatch batch, PageBatch pages);

    /// <summary>
    /// Attention of every row over the cached rows of its run up to its own position, which are already written.
    /// Rows are read in spans of 512 from position 0; the results of spans merge in order, whoever computes them.
    /// </summary>
    /// <param name="shape">The kernel's facts.</param>
    /// <param name="rule">Scale, cap, window and sinks, and how keys turn.</param>
    /// <param name="main">Query part on the main rows [rows x QueryHeads x MainWidth].</param>
    /// <param name="rotary">Query part on the rotary rows [rows x QueryHeads x RotaryWidth]; empty when RotaryWidth is 0.</param>
    /// <param name="cached">The streams.</param>
    /// <param name="batch">The rows.</param>
    /// <param name="pages">Their page tables.</param>
    /// <param name="destination">Outputs [rows x QueryHeads x OutputWidth].</param>
    void Attend(AttendShape shape, ScoreRule rule, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination);

    /// <summary>
    /// The same attention over keys and values that are rebuilt, span by span in scratch memory, from the latents of the main stream.
    /// What is rebuilt of a latent depends on that latent alone, and on its position where keys turn.
    /// </summary>
    /// <param name="rule">Scale, cap, window and sinks, and how keys turn.</param>
    /// <param name="expansion">What rebuilds them.</param>
    /// <param name="main">Query part on the rebuilt keys [rows x heads x key width].</param>
    /// <param name="rotary">Query part on the rotary rows [rows x heads x rotary width]; empty when there is no rotary stream.</param>
    /// <param name="cached">Latents, and the rotary stream; values where they are not rebuilt.</param>
    /// <param name="batch">The rows.</param>
    /// <param name="pages">Their page tables.</param>
    /// <param name="destination">Outputs [rows x heads x value width].</param>
    void AttendExpanded(
        ScoreRule rule, Expansion expansion, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination);

    /// <summary>Copies whole pages of a stream: page from[i] onto page to[i].</summary>
    void CopyPages(PagedRows stream, ReadOnlySpan<int> from, ReadOnlySpan<int> to);

    /// <summary>Takes host memory for pages that the device has no room for, aligned to 64 bytes. It lives until <see cref="FreeHost"/> or the device's end.</summary>
    nint AllocateHost(long bytes);

    /// <summary>Gives such memory back.</summary>
    void FreeHost(nint address);

    /// <summary>
    /// Copies whole pages between a stream and its like in memory of <see cref="AllocateHost"/>, to the last bit, in the order of the calls:
    /// page from[i] of one onto page to[i] of the other.
    /// </summary>
    void SwapPages(Swap way, PagedRows stream, PagedRows host, ReadOnlySpan<int> from, ReadOnlySpan<int> to);

    /// <summary>
    /// Side by side for every vector of a row: that vector in the rows before it, the oldest first, and in the row itself. The state holds
    /// the rows before the next one [rows before x heads * width]; a window is as many rows longer as the destination is wider.
    /// </summary>
    void Recall(Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination);

    /// <summary>
    /// destination[r, h] = bias[h] + the sum over taps t of weights[h, t] * windows[r, h, t], value by value: a convolution over windows
    /// [rows x heads x taps * width], whose weights [1 x heads x taps * width] and biases [1 x heads * width], if any, are shared by all rows.
    /// </summary>
    void Convolve(Tensor windows, Tensor weights, Tensor bias, Tensor destination);

    /// <summary>Each row becomes the running sum of its sequence's rows up to itself; the sum so far is the state.</summary>
    void Accumulate(RunningSum rule, Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination);

    /// <summary>
    /// The gated delta rule (arXiv 2412.06464, 2510.26692), row by row: every head has a memory S [key width x value width], the state.
    /// S = exp(decay) S by rows; S += key (strength (value - S^T key))^T; destination [rows x heads x value width] = S^T query.
    /// </summary>
    void Delta(DeltaRows rows, StateRows state, RowBatch batch, StateBatch places, Tensor destination);

    /// <summary>destination[r, h] = the sum of products of two vectors [rows x heads].</summary>
    void Dot(Tensor left, Tensor right, Tensor destination);

    /// <summary>Every vector becomes e^x over the sum of e^x of its values, in place.</summary>
    void Softmax(Tensor vectors);
}
