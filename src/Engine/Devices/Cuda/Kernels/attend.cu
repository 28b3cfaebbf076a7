// Attention over cached rows in single precision: legal for every shape, rule and type. Spans of 512 rows have states of their own, which
// merge in order, so that it does not matter which blocks compute them, nor what other queries are in a unit.
#include "attend.cuh"

constexpr int THREADS = 128, WARPS = THREADS / 32, COLUMNS = 64, PITCH = COLUMNS + 1;

// A tile's rows: the page and the place of each, or a row of the step; -1 for rows that no query sees. Where tokens have classes, its class.
struct TileRows
{
    int page[TILE], place[TILE], part[TILE];
};

DEVICE Vector vector_of(const Stream& stream, const TileRows& rows, int row, int group, bool open)
{
    return open ? open_vector(stream, rows.place[row], group) : vector_in_page(stream, rows.page[row], group, rows.place[row]);
}

template <int TYPE> DEVICE void class_of(const Stream& stream, const Vector& vector, int classes, int& part)
{
    part = least(greatest((int)stored_value<TYPE>(stream, vector, 0), 0), classes - 1);
}

// Value `index` of a row that is read as a part for each class: all zeros but for its own, which is the row and a one behind it.
template <int TYPE> DEVICE float spread_value(const Stream& stream, const Vector& vector, int part, int index)
{
    int within = index - part * (stream.width + 1);
    if (within < 0 || within > stream.width) return 0.0f;
    return within == stream.width ? 1.0f : stored_value<TYPE>(stream, vector, within);
}

// Widens columns of the rows of a tile, spread over the parts of their classes or as they are.
template <int TYPE>
DEVICE void bring(
    const Stream& stream, const TileRows& rows, int count, int group, bool open, int column, int columns, float* tile, bool spread)
{
    for (int i = threadIdx.x; i < count * COLUMNS; i += THREADS)
    {
        int row = i / COLUMNS, at = i % COLUMNS;
        bool here = rows.place[row] >= 0 && at < columns;
        float value = 0;
        if (here)
        {
            Vector vector = vector_of(stream, rows, row, group, open);
            value = spread ? spread_value<TYPE>(stream, vector, rows.part[row], column + at) : stored_value<TYPE>(stream, vector, column + at);
        }
        tile[row * PITCH + at] = value;
    }
}

// The same of keys that turn by the angles of their own positions.
template <int TYPE>
DEVICE void bring_turned(
    const Stream& stream, const TileRows& rows, int count, int group, bool open, int column, int columns, float* tile,
    const Tensor& angles, bool interleaved, int position)
{
    int pairs = angles.width / 2;
    for (int i = threadIdx.x; i < count * COLUMNS; i += THREADS)
    {
        int row = i / COLUMNS, at = i % COLUMNS, index = column + at;
        float value = 0;
        if (rows.place[row] >= 0 && at < columns)
        {
            Vector vector = vector_of(stream, rows, row, group, open);
            value = stored_value<TYPE>(stream, vector, index);
            if (index < angles.width)
            {
                int pair = interleaved ? index / 2 : index % pairs;
                bool isFirst = interleaved ? index % 2 == 0 : index < pairs;
                float other = stored_value<TYPE>(stream, vector, interleaved ? index ^ 1 : isFirst ? index + pairs : index - pairs);
                const float* turn = angles.vector(position + row, 0);
                float cosine = turn[pair], sine = turn[pairs + pair];
                value = isFirst ? value * cosine - other * sine : other * sine + value * cosine;
            }
        }
        tile[row * PITCH + at] = value;
    }
}

// A warp has PER_WARP queries; its lanes share rows among them for scores, and columns for values. Every query is computed alike whatever
// PER_WARP is.
template <int PER_WARP> struct Attention
{
    static constexpr int QUERIES = PER_WARP * WARPS;

    const AttendArguments& a;
    TileRows& rows;
    float *tile, *queries, *weights, *values; // values: [query][output width]
    Unit unit;
    float most[PER_WARP], sum[PER_WARP]; // the sum of this lane's rows
    float score[PER_WARP][2];

    DEVICE Attention(const AttendArguments& a, TileRows& rows, float* memory) : a(a), rows(rows)
    {
        tile = memory;
        queries = tile + TILE * PITCH;
        weights = queries + QUERIES * COLUMNS;
        values = weights + QUERIES * TILE;
    }

    DEVICE static int query(int j) { return warp() * PER_WARP + j; }
    DEVICE int present() const { return least(PER_WARP, unit.rows * unit.heads - query(0)); }
    DEVICE float* value_of(int j) const { return values + query(j) * a.outputWidth(); }
    DEVICE int open_span() const { return unit.last < unit.first ? unit.first / SPAN : unit.last / SPAN + 1; }

    DEVICE void run(const Item& item)
    {
        unit = a.units[item.unit];
        int slot = item.slot < 0 ? a.own + (int)blockIdx.x : item.slot;
        for (int span = item.from; span < item.to; span++)
        {
            begin();
            if (span == open_span()) read_tile(0, unit.rows, true);
            else
            {
                int last = least(unit.last, (span + 1) * SPAN - 1);
                for (int at = greatest(span * SPAN, unit.first / TILE * TILE); at <= last; at += TILE) read_tile(at, least(TILE, last - at + 1), false);
            }
            bool ends = item.finishes && span == item.to - 1;
            leave(slot, item.joins || span > item.from, ends);
        }
    }

    DEVICE void begin()
    {
        UNROLL
        for (int j = 0; j < PER_WARP; j++)
        {
            most[j] = LEAST;
            sum[j] = 0;
            for (int i = lane(); i < a.outputWidth(); i += WARP) value_of(j)[i] = 0;
        }
    }

    // Rows `at` and on, or the rows that the unit's tokens have left open.
    DEVICE void read_tile(int at, int count, bool open)
    {
        __syncthreads();
        for (int i = threadIdx.x; i < count; i += THREADS)
        {
            int index = at + i, perPage = a.mainRows.rowsPerPage;
            if (open) rows.place[i] = unit.row + i;
            else if (index < unit.first) rows.place[i] = -1;
            else
            {
                rows.page[i] = a.pages[unit.table + index / perPage];
                rows.place[i] = index % perPage;
                if (a.classes > 0)
                {
                    FOR_TYPE(a.classRows, class_of, vector_in_page(a.classRows, rows.page[i], 0, rows.place[i]), a.classes, rows.part[i])
                }
            }
        }
        UNROLL
        for (int j = 0; j < PER_WARP; j++) score[j][0] = score[j][1] = 0;
        for (int column = 0; column < a.mainWidth; column += COLUMNS) add_scores(a.main, a.mainRows, unit.group, at, count, open, column, a.mainWidth, !a.angles.empty(), a.classes > 0);
        for (int column = 0; column < a.rotaryWidth; column += COLUMNS) add_scores(a.rotary, a.rotaryRows, 0, at, count, open, column, a.rotaryWidth, false, false);
        float decay[PER_WARP];
        weigh(at, count, open, decay);
        for (int column = 0; column < a.valueWidth; column += COLUMNS)
            add_values(a.valueRows, unit.group, count, open, column, a.valueWidth, 0, decay, a.classes > 0);
        for (int column = 0; column < a.sharedWidth; column += COLUMNS) add_values(a.sharedRows, 0, count, open, column, a.sharedWidth, a.valueWidth, decay, false);
    }

    // Products of some columns of the queries and of the tile's rows.
    DEVICE void add_scores(const Tensor& source, const Stream& stream, int group, int at, int count, bool open, int column, int width, bool turns, bool spread)
    {
        int columns = least(COLUMNS, width - column);
        __syncthreads();
        for (int i = threadIdx.x; i < QUERIES * COLUMNS; i += THREADS)
        {
            int q = i / COLUMNS, d = i % COLUMNS;
            bool here = q < unit.rows * unit.heads && d < columns;
            queries[i] = here ? source.vector(unit.row + q / unit.heads, unit.head + q % unit.heads)[column + d] : 0.0f;
        }
        if (turns)
        {
            FOR_TYPE(stream, bring_turned, rows, count, group, open, column, columns, tile, a.angles, a.interleaved, open ? a.last_row(unit.position) + 1 : at)
        }
        else
        {
            FOR_TYPE(stream, bring, rows, count, group, open, column, columns, tile, spread)
        }
        __syncthreads();
        if (present() <= 0) return;
        const float* mine = queries + query(0) * COLUMNS;
        const float *near = tile + lane() * PITCH, *far = near + WARP * PITCH;
        for (int d = 0; d < columns; d++)
        {
            UNROLL
            for (int j = 0; j < PER_WARP; j++)
            {
                score[j][0] = fused(mine[j * COLUMNS + d], near[d], score[j][0]);
                score[j][1] = fused(mine[j * COLUMNS + d], far[d], score[j][1]);
            }
        }
    }

    // Scores become weights, relative to the greatest score so far; what was gathered before is to be multiplied by the decay.
    DEVICE void weigh(int at, int count, bool open, float (&decay)[PER_WARP])
    {
        UNROLL
        for (int j = 0; j < PER_WARP; j++)
        {
            decay[j] = 1;
            if (j >= present()) continue;
            int token = query(j) / unit.heads;
            int first = open ? token : a.first_row(unit.position + token), last = open ? token : a.last_row(unit.position + token);
            float x[2], before = most[j];
            UNROLL
            for (int e = 0; e < 2; e++)
            {
                int row = lane() + e * WARP;
                x[e] = score[j][e] * a.scale;
                if (a.softcap > 0) x[e] = hyperbolic_tangent(x[e] / a.softcap) * a.softcap;
                if (row >= count || at + row < first || at + row > last) x[e] = -INFINITE;
            }
            most[j] = greatest(before, warp_max(greatest(x[0], x[1])));
            decay[j] = exponential(before - most[j]);
            float near = exponential(x[0] - most[j]), far = exponential(x[1] - most[j]);
            sum[j] = fused(sum[j], decay[j], near + far);
            weights[query(j) * TILE + lane()] = near;
            weights[query(j) * TILE + lane() + WARP] = far;
        }
    }

    // Weights times some columns of the tile's values.
    DEVICE void add_values(const Stream& stream, int group, int count, bool open, int column, int width, int offset, const float (&decay)[PER_WARP], bool spread)
    {
        int columns = least(COLUMNS, width - column);
        __syncthreads();
        FOR_TYPE(stream, bring, rows, count, group, open, column, columns, tile, spread)
        __syncthreads();
        if (present() <= 0) return;
        float added[PER_WARP][2] = {};
        const float* mine = weights + query(0) * TILE;
        for (int row = 0; row < count; row++)
        {
            float near = tile[row * PITCH + lane()], far = tile[row * PITCH + lane() + WARP];
            UNROLL
            for (int j = 0; j < PER_WARP; j++)
            {
                added[j][0] = fused(mine[j * TILE + row], near, added[j][0]);
                added[j][1] = fused(mine[j * TILE + row], far, added[j][1]);
            }
        }
        UNROLL
        for (int j = 0; j < PER_WARP; j++)
            UNROLL
            for (int e = 0; e < 2; e++)
            {
                int at = lane() + e * WARP;
                float* value = value_of(j) + offset + column + at;
                if (at < columns) *value = fused(*value, decay[j], added[j][e]);
            }
    }

    // The state of a span goes into its slot, by way of what lies there, or into the results.
    DEVICE void leave(int slot, bool joins, bool ends)
    {
        __syncwarp();
        UNROLL
        for (int j = 0; j < PER_WARP; j++)
        {
            if (j >= present()) break;
            QueryState state = state_in(a.states, slot, QUERIES, query(j), a.outputWidth());
            float whole = warp_sum(sum[j]), greatest = most[j], *value = value_of(j);
            if (joins)
            {
                Fold fold(*state.greatest, most[j]);
                whole = fold.of(*state.sum, whole);
                greatest = fold.greatest;
                for (int i = lane(); i < a.outputWidth(); i += WARP) value[i] = fold.of(state.values[i], value[i]);
                __syncwarp();
            }
            if (ends)
            {
                int token = query(j) / unit.heads, head = unit.head + query(j) % unit.heads;
                float factor = last_factor(a.sinks, head, greatest, whole);
                for (int i = lane(); i < a.outputWidth(); i += WARP) a.destination.vector(unit.row + token, head)[i] = value[i] * factor;
                continue;
            }
            if (lane() == 0) (*state.greatest = greatest, *state.sum = whole);
            for (int i = lane(); i < a.outputWidth(); i += WARP) state.values[i] = value[i];
        }
        __syncwarp();
    }
};

template <int PER_WARP> DEVICE void attend(const AttendArguments& a)
{
    __shared__ TileRows rows;
    SHARED(memory);
    Attention<PER_WARP> attention(a, rows, (float*)memory);
    for (int item = blockIdx.x, count = a.items->unit; item < count; item += gridDim.x) attention.run(a.items[1 + item]);
}

KERNEL(attend_4, AttendArguments, a, 128) { attend<1>(a); }
KERNEL(attend_8, AttendArguments, a, 128) { attend<2>(a); }
KERNEL(attend_16, AttendArguments, a, 128) { attend<4>(a); }

struct MergeArguments
{
    Tensor destination, sinks;
    const Unit* units;
    const int* merges; // how many there are, and two more; then of each: unit, first slot, slots
    float* states;
    int queries, outputWidth; // of a slot
};

// A block merges the states of one query of a unit, in the order of spans, and writes its result.
KERNEL(attend_merge, MergeArguments, a, 128)
{
    if ((int)blockIdx.x >= a.merges[0]) return;
    const int* merge = a.merges + 3 + blockIdx.x * 3;
    Unit unit = a.units[merge[0]];
    int query = blockIdx.y;
    if (query >= unit.rows * unit.heads) return;
    int row = unit.row + query / unit.heads, head = unit.head + query % unit.heads;
    for (int i = threadIdx.x; i < a.outputWidth; i += blockDim.x)
    {
        QueryState state = state_in(a.states, merge[1], a.queries, query, a.outputWidth);
        float greatest = *state.greatest, sum = *state.sum, value = state.values[i];
        for (int slot = 1; slot < merge[2]; slot++)
        {
            QueryState next = state_in(a.states, merge[1] + slot, a.queries, query, a.outputWidth);
            Fold fold(greatest, *next.greatest);
            sum = fold.of(sum, *next.sum);
            value = fold.of(value, next.values[i]);
            greatest = fold.greatest;
        }
        a.destination.vector(row, head)[i] = value * last_factor(a.sinks, head, greatest, sum);
    }
}
