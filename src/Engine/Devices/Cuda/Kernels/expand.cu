// What attention over rebuilt keys and values needs beside products: latents out of their pages, and gates.
#include "rows.cuh"

constexpr int PAGE = 64;

// A page of scratch rows: positions `position` and on of a run, of which `first` to `last` are read.
struct Segment
{
    int table, position, first, last;
};

struct GatherArguments
{
    Stream main, rotary, value, shared, ids;
    const Segment* segments;
    const int* pages;
    float* rows;
    int rowFloats;
};

template <int TYPE> DEVICE void widen(const Stream& stream, int page, int place, float* to)
{
    for (int i = threadIdx.x; i < stream.groups * stream.width; i += blockDim.x)
        to[i] = page < 0 ? 0.0f : stored_value<TYPE>(stream, vector_in_page(stream, page, i / stream.width, place), i % stream.width);
}

DEVICE float* gather(const Stream& stream, int page, int place, float* to)
{
    if (stream.empty()) return to;
    FOR_TYPE(stream, widen, page, place, to)
    return to + stream.groups * stream.width;
}

// A block widens one row of all streams, side by side.
KERNEL(gather_rows, GatherArguments, a, 128)
{
    Segment segment = a.segments[blockIdx.x / PAGE];
    int position = segment.position + blockIdx.x % PAGE, perPage = a.main.rowsPerPage;
    bool here = position >= segment.first && position <= segment.last;
    int page = here ? a.pages[segment.table + position / perPage] : -1, place = position % perPage;
    float* to = a.rows + (i64)blockIdx.x * a.rowFloats;
    to = gather(a.main, page, place, to);
    to = gather(a.rotary, page, place, to);
    to = gather(a.value, page, place, to);
    to = gather(a.shared, page, place, to);
    gather(a.ids, page, place, to);
}

// Ids lie in memory as the floats that they were cached as.
struct IdsArguments
{
    const float* rows;
    int rowFloats, count;
    int* ids;
};

KERNEL(ids_of_rows, IdsArguments, a, 128)
{
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row < a.count) a.ids[row] = (int)a.rows[(i64)row * a.rowFloats];
}

enum GateSpan { NO_NORM, ALL, HEAD, PART };

struct GateArguments
{
    Tensor keys, values, keyGates, valueGates;
    Tensor keyWeight, keyBias, valueWeight, valueBias;
    int span;
    float epsilon;
};

DEVICE float gated(const Tensor& vectors, const Tensor& gates, int row, int i)
{
    return vectors.at(row, i) * gates.at(row, i);
}

// A block gates and norms the keys and values of a row, in place. With a norm over heads, its second index is the head.
KERNEL(gate_rows, GateArguments, a, 256)
{
    int row = blockIdx.x;
    bool byHead = a.span == HEAD, byPart = a.span == PART;
    int heads = byHead ? 1 : a.keys.heads, head = byHead ? blockIdx.y : 0;
    int keyFirst = head * a.keys.width, keyEnd = keyFirst + heads * a.keys.width;
    int valueFirst = head * a.values.width, valueEnd = valueFirst + heads * a.values.width;
    for (int i = keyFirst + threadIdx.x; i < keyEnd; i += blockDim.x) a.keys.at(row, i) = gated(a.keys, a.keyGates, row, i);
    for (int i = valueFirst + threadIdx.x; i < valueEnd; i += blockDim.x) a.values.at(row, i) = gated(a.values, a.valueGates, row, i);
    if (a.span == NO_NORM) return;
    for (int part = 0; part < (byPart ? 2 : 1); part++)
    {
        bool keys = !byPart || part == 0, values = !byPart || part == 1;
        int count = (keys ? keyEnd - keyFirst : 0) + (values ? valueEnd - valueFirst : 0);
        float sum = 0;
        // A thread reads what it has written itself.
        for (int i = keyFirst + threadIdx.x; i < keyEnd && keys; i += blockDim.x) sum += a.keys.at(row, i);
        for (int i = valueFirst + threadIdx.x; i < valueEnd && values; i += blockDim.x) sum += a.values.at(row, i);
        float mean = block_sum(sum) / count;
        sum = 0;
        for (int i = keyFirst + threadIdx.x; i < keyEnd && keys; i += blockDim.x) sum = fused(a.keys.at(row, i) - mean, a.keys.at(row, i) - mean, sum);
        for (int i = valueFirst + threadIdx.x; i < valueEnd && values; i += blockDim.x)
            sum = fused(a.values.at(row, i) - mean, a.values.at(row, i) - mean, sum);
        float divisor = root(block_sum(sum) / count + a.epsilon);
        for (int i = keyFirst + threadIdx.x; i < keyEnd && keys; i += blockDim.x)
            a.keys.at(row, i) = fused((a.keys.at(row, i) - mean) / divisor, a.keyWeight.at(0, i), a.keyBias.at(0, i));
        for (int i = valueFirst + threadIdx.x; i < valueEnd && values; i += blockDim.x)
            a.values.at(row, i) = fused((a.values.at(row, i) - mean) / divisor, a.valueWeight.at(0, i), a.valueBias.at(0, i));
    }
}
