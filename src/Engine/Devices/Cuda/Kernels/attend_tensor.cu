// Attention over cached rows on tensor cores: rows of bfloat16 as they are copied, rows with scales widened to one bfloat16 or, exactly, to the sum
// of two. Queries and weights are one bfloat16, or the sum of three and of two. Spans merge as in attend.cu, and a query is computed alike whatever other queries are in its unit and however many rows a block takes.
#include "attend.cuh"
#include "tensor.cuh"

constexpr int THREADS = 256, WARPS = THREADS / 32;
constexpr int PAD = 8; // values behind a row in shared memory, so that eight rows below one another lie in different banks

DEVICE int whole(int width, int step) { return (width + step - 1) / step * step; }

template <int TYPE> DEVICE void widen_pair(const Stream& stream, const Vector& vector, int index, float& low, float& high)
{
    low = stored_value<TYPE>(stream, vector, index);
    high = stored_value<TYPE>(stream, vector, index + 1);
}

// ROWS queries of a unit, outputs of up to VALUES values.
template <int ROWS, int VALUES> struct TensorAttention
{
    static constexpr int KEYS = VALUES > 256 ? 32 : 64; // cached rows of a tile
    static constexpr int ROW_WARPS = ROWS == 16 ? 1 : 2;
    static constexpr int KEY_WARPS = WARPS / ROW_WARPS < KEYS / 8 ? WARPS / ROW_WARPS : KEYS / 8; // a warp's share of the scores
    static constexpr int M = ROWS / 16 / ROW_WARPS, N = KEYS / 8 / KEY_WARPS;
    static constexpr int ROW_TILES = ROWS / 16, COLUMNS = VALUES / WARPS, TILES = COLUMNS / 8; // a warp's share of the outputs
    static constexpr int WEIGHT_PITCH = KEYS + PAD;

    const AttendArguments& a;
    const int held, rotaryAt, keyPitch, valuePitch, rawPitch;
    u16 *queries, *keys, *values, *weights; // [term][row]; keys and values that are not widened [stage][row]
    u8* raw;                                // rows that are to be widened, as they are stored [stage][row]
    float *tops, *decays, *mosts, *sums;    // [key warp][row], [row], [row], [row]
    Unit unit;
    float output[ROW_TILES][TILES][4];
    float most[M][2], sum;
    int first[M][2], last[M][2];

    DEVICE TensorAttention(const AttendArguments& a, unsigned char* memory)
        : a(a), held(a.valueInMain ? greatest(a.mainWidth, a.valueWidth) : a.mainWidth), rotaryAt(whole(held, 32)),
          keyPitch(rotaryAt + whole(a.rotaryWidth, 32) + PAD), valuePitch(a.valueInMain ? keyPitch : whole(a.outputWidth(), 16) + PAD),
          rawPitch(bytes(a.mainRows, held) + bytes(a.rotaryRows, a.rotaryWidth)
                   + (a.valueInMain ? 0 : bytes(a.valueRows, a.valueWidth) + bytes(a.sharedRows, a.sharedWidth)))
    {
        queries = (u16*)memory;
        keys = queries + a.queryTerms * ROWS * keyPitch;
        values = a.valueInMain ? keys : keys + 2 * KEYS * keyPitch;
        weights = values + 2 * KEYS * valuePitch;
        raw = (u8*)(weights + a.weightTerms * ROWS * WEIGHT_PITCH);
        tops = (float*)(raw + (a.widens ? 2 * KEYS * rawPitch : 0));
        decays = tops + KEY_WARPS * ROWS;
        mosts = decays + ROWS;
        sums = mosts + ROWS;
        // Between what a score reads of one stream and of the next nothing is ever copied.
        for (int i = threadIdx.x; i < 2 * KEYS * (keyPitch - PAD); i += THREADS)
        {
            int column = i % (keyPitch - PAD);
            if ((column >= held && column < rotaryAt) || column >= rotaryAt + a.rotaryWidth) keys[i / (keyPitch - PAD) * keyPitch + column] = 0;
        }
    }

    // Bytes of the first values of a stored vector, without its scales.
    DEVICE static int bytes(const Stream& stream, int width)
    {
        return stream.type == BFLOAT16 ? width * 2 : stream.type == INT4 ? width / 2 : width;
    }

    DEVICE static int row_warp() { return warp() / KEY_WARPS; }
    DEVICE static int key_warp() { return warp() % KEY_WARPS; }
    DEVICE static bool scores() { return warp() < ROW_WARPS * KEY_WARPS; }
    DEVICE static int row_of(int m, int e) { return (row_warp() * M + m) * 16 + lane() / 4 + 8 * e; }
    DEVICE static int key_of(int n, int c) { return (key_warp() * N + n) * 8 + lane() % 4 * 2 + c; }
    DEVICE u16* query(int term, int row) const { return queries + (term * ROWS + row) * keyPitch; }
    DEVICE u16* key(int part, int row) const { return keys + (part * KEYS + row) * keyPitch; }
    DEVICE u16* value(int part, int row) const { return values + (part * KEYS + row) * valuePitch; }
    DEVICE u16* weight(int term, int row) const { return weights + (term * ROWS + row) * WEIGHT_PITCH; }
    DEVICE int present() const { return unit.rows * unit.heads; }

    DEVICE void run(const Item& item)
    {
        unit = a.units[item.unit];
        int slot = item.slot < 0 ? a.own + (int)blockIdx.x : item.slot;
        int at = greatest(item.from * SPAN, unit.first / KEYS * KEYS), end = least(unit.last, item.to * SPAN - 1);
        bool joins = item.joins;
        __syncthreads();
        bring(at, 0);
        end_copies();
        lay_queries();
        begin();
        for (int stage = 0; at <= end; at += KEYS, stage ^= 1)
        {
            bool isLast = at + KEYS > end;
            if (!isLast) bring(at + KEYS, stage ^ 1);
            end_copies();
            wait_for_copies<1>();
            __syncthreads();
            if (a.widens)
            {
                widen(at, stage);
                __syncthreads();
            }
            // Terms of widened rows lie where the stages of others do.
            int first = a.widens ? 0 : stage, terms = a.widens ? a.rowTerms : 1;
            weigh(first, terms, at);
            add_values(first, terms);
            __syncthreads();
            if (!isLast && (at + KEYS) % SPAN != 0) continue;
            leave(slot, joins, isLast && item.finishes);
            joins = true;
            begin();
        }
    }

    DEVICE void begin()
    {
        UNROLL
        for (int m = 0; m < ROW_TILES; m++)
            UNROLL
            for (int n = 0; n < TILES; n++)
                UNROLL
                for (int i = 0; i < 4; i++) output[m][n][i] = 0;
        UNROLL
        for (int m = 0; m < M; m++)
            UNROLL
            for (int e = 0; e < 2; e++) most[m][e] = LEAST;
        sum = 0;
    }

    // Queries as bfloat16, and which rows each of them sees.
    DEVICE void lay_queries()
    {
        int width = keyPitch - PAD;
        for (int row = warp(); row < ROWS; row += WARPS)
            for (int i = lane(); i < width; i += WARP)
            {
                float x = 0;
                int token = row / unit.heads, head = unit.head + row % unit.heads;
                if (row < present())
                {
                    if (i < a.mainWidth) x = a.main.vector(unit.row + token, head)[i];
                    else if (i >= rotaryAt && i < rotaryAt + a.rotaryWidth) x = a.rotary.vector(unit.row + token, head)[i - rotaryAt];
                }
                for (int term = 0; term < a.queryTerms; term++) query(term, row)[i] = take_term(x);
            }
        UNROLL
        for (int m = 0; m < M; m++)
            UNROLL
            for (int e = 0; e < 2; e++)
            {
                int row = row_of(m, e), position = unit.position + row / unit.heads;
                first[m][e] = a.first_row(position);
                last[m][e] = row < present() ? a.last_row(position) : -1;
            }
    }

    // Where row `index` lies: its page, or -1 where no query sees it, and its place.
    DEVICE int page_of(int index, int& place) const
    {
        int perPage = a.mainRows.rowsPerPage;
        place = index % perPage;
        return index >= unit.first && index <= unit.last ? a.pages[unit.table + index / perPage] : -1;
    }

    // Begins to copy the rows of a tile; zeros for those that no query sees.
    DEVICE void bring(int at, int stage)
    {
        for (int row = warp(); row < KEYS; row += WARPS)
        {
            int place, page = page_of(at + row, place);
            u8* to = raw + (stage * KEYS + row) * rawPitch;
            u8* beside = a.widens ? to + bytes(a.mainRows, held) : (u8*)(key(stage, row) + rotaryAt);
            copy_row(a.widens ? to : (u8*)key(stage, row), a.mainRows, page, unit.group, place, held);
            if (a.rotaryWidth > 0) copy_row(beside, a.rotaryRows, page, 0, place, a.rotaryWidth);
            if (a.valueInMain) continue;
            u8* value_to = a.widens ? beside + bytes(a.rotaryRows, a.rotaryWidth) : (u8*)value(stage, row);
            copy_row(value_to, a.valueRows, page, unit.group, place, a.valueWidth);
            if (a.sharedWidth > 0) copy_row(value_to + bytes(a.valueRows, a.valueWidth), a.sharedRows, page, 0, place, a.sharedWidth);
        }
    }

    DEVICE static void copy_row(u8* to, const Stream& stream, int page, int group, int place, int width)
    {
        const u8* from = vector_in_page(stream, greatest(page, 0), group, place).values;
        for (int i = lane() * 16; i < bytes(stream, width); i += WARP * 16) copy_later(to + i, from + i, page >= 0);
    }

    // Widens the rows of a tile that have been copied.
    DEVICE void widen(int at, int stage)
    {
        for (int row = warp(); row < KEYS; row += WARPS)
        {
            int place, page = page_of(at + row, place);
            u8* from = raw + (stage * KEYS + row) * rawPitch;
            from = widen_row(a.mainRows, page, unit.group, place, held, from, key(0, row), KEYS * keyPitch);
            from = widen_row(a.rotaryRows, page, 0, place, a.rotaryWidth, from, key(0, row) + rotaryAt, KEYS * keyPitch);
            if (a.valueInMain) continue;
            from = widen_row(a.valueRows, page, unit.group, place, a.valueWidth, from, value(0, row), KEYS * valuePitch);
            widen_row(a.sharedRows, page, 0, place, a.sharedWidth, from, value(0, row) + a.valueWidth, KEYS * valuePitch);
        }
    }

    // Two neighbouring values at a time, which share a scale, in terms that lie `pitch` apart.
    DEVICE u8* widen_row(const Stream& stream, int page, int group, int place, int width, u8* from, u16* to, int pitch) const
    {
        if (width == 0) return from;
        Vector vector = {from, vector_in_page(stream, greatest(page, 0), group, place).scales};
        for (int i = lane() * 2; i < width; i += WARP * 2)
        {
            float low = 0, high = 0;
            if (page >= 0) FOR_TYPE(stream, widen_pair, vector, i, low, high)
            for (int term = 0; term < a.rowTerms; term++)
            {
                u32 bits = take_term(low);
                *(u32*)(to + term * pitch + i) = bits | (u32)take_term(high) << 16;
            }
        }
        return from + bytes(stream, width);
    }

    DEVICE void add_scores(float (&score)[M][N][4], int part, int from, int end)
    {
        for (int k = from; k < end; k += 32)
        {
            u32 right[N][4];
            UNROLL
            for (int n = 0; n < N; n++) load_matrices(right[n], key(part, (key_warp() * N + n) * 8 + lane() % 8) + k + lane() / 8 * 8);
            UNROLL
            for (int half = 0; half < 2; half++)
                for (int term = 0; term < a.queryTerms; term++)
                    UNROLL
                    for (int m = 0; m < M; m++)
                    {
                        u32 left[4];
                        load_matrices(left, query(term, (row_warp() * M + m) * 16 + lane() % 16) + k + half * 16 + lane() / 16 * 8);
                        UNROLL
                        for (int n = 0; n < N; n++) multiply_add(score[m][n], left, right[n][half * 2], right[n][half * 2 + 1]);
                    }
        }
    }

    // Weights of the tile's rows relative to each query's greatest score so far, what was gathered before is to be multiplied by, and sums.
    DEVICE void weigh(int part, int terms, int at)
    {
        float score[M][N][4] = {};
        if (scores())
        {
            for (int term = 0; term < terms; term++)
            {
                add_scores(score, part + term, 0, whole(a.mainWidth, 32));
                add_scores(score, part + term, rotaryAt, rotaryAt + whole(a.rotaryWidth, 32));
            }
            UNROLL
            for (int m = 0; m < M; m++)
                UNROLL
                for (int e = 0; e < 2; e++)
                {
                    float top = LEAST;
                    UNROLL
                    for (int n = 0; n < N; n++)
                        UNROLL
                        for (int c = 0; c < 2; c++)
                        {
                            int index = at + key_of(n, c);
                            float x = score[m][n][e * 2 + c] * a.scale;
                            if (a.softcap > 0) x = hyperbolic_tangent(x / a.softcap) * a.softcap;
                            if (index < first[m][e] || index > last[m][e]) x = -INFINITE;
                            score[m][n][e * 2 + c] = x;
                            top = greatest(top, x);
                        }
                    top = greatest(top, shuffle_xor(top, 1));
                    top = greatest(top, shuffle_xor(top, 2));
                    if (lane() % 4 == 0) tops[key_warp() * ROWS + row_of(m, e)] = top;
                }
        }
        __syncthreads();
        if (scores())
        {
            UNROLL
            for (int m = 0; m < M; m++)
                UNROLL
                for (int e = 0; e < 2; e++)
                {
                    int row = row_of(m, e);
                    float before = most[m][e], now = before;
                    for (int i = 0; i < KEY_WARPS; i++) now = greatest(now, tops[i * ROWS + row]);
                    most[m][e] = now;
                    if (key_warp() == 0 && lane() % 4 == 0) decays[row] = exponential(before - now);
                    UNROLL
                    for (int n = 0; n < N; n++)
                    {
                        float one = exponential(score[m][n][e * 2] - now), two = exponential(score[m][n][e * 2 + 1] - now);
                        for (int term = 0; term < a.weightTerms; term++)
                        {
                            u32 low = take_term(one);
                            *(u32*)(weight(term, row) + key_of(n, 0)) = low | (u32)take_term(two) << 16;
                        }
                    }
                }
        }
        __syncthreads();
        // Four threads add a row's weights as they were rounded.
        if (threadIdx.x < ROWS * 4)
        {
            int row = threadIdx.x / 4;
            float added = 0;
            for (int i = threadIdx.x % 4 * (KEYS / 4), end = i + KEYS / 4; i < end; i++)
                for (int term = 0; term < a.weightTerms; term++) added += bfloat_to_float(weight(term, row)[i]);
            added += shuffle_xor(added, 1);
            added += shuffle_xor(added, 2);
            sum = fused(sum, decays[row], added);
        }
    }

    DEVICE void add_values(int part, int terms)
    {
        int column = warp() * COLUMNS;
        if (column >= a.outputWidth()) return;
        UNROLL
        for (int m = 0; m < ROW_TILES; m++)
            UNROLL
            for (int e = 0; e < 2; e++)
            {
                float decay = decays[m * 16 + lane() / 4 + 8 * e];
                UNROLL
                for (int n = 0; n < TILES; n++)
                {
                    output[m][n][e * 2] *= decay;
                    output[m][n][e * 2 + 1] *= decay;
                }
            }
        UNROLL
        for (int k = 0; k < KEYS; k += 16)
        {
            u32 high[ROW_TILES][4], low[ROW_TILES][4];
            UNROLL
            for (int m = 0; m < ROW_TILES; m++)
            {
                load_matrices(high[m], weight(0, m * 16 + lane() % 16) + k + lane() / 16 * 8);
                if (a.weightTerms > 1) load_matrices(low[m], weight(1, m * 16 + lane() % 16) + k + lane() / 16 * 8);
            }
            UNROLL
            for (int n = 0; n < TILES; n += 2)
            {
                if (column + n * 8 >= a.outputWidth()) break;
                for (int term = 0; term < terms; term++)
                {
                    u32 right[4];
                    load_turned(right, value(part + term, k + lane() % 16) + column + n * 8 + lane() / 16 * 8);
                    UNROLL
                    for (int m = 0; m < ROW_TILES; m++)
                    {
                        multiply_add(output[m][n], high[m], right[0], right[1]);
                        multiply_add(output[m][n + 1], high[m], right[2], right[3]);
                        if (a.weightTerms == 1) continue;
                        multiply_add(output[m][n], low[m], right[0], right[1]);
                        multiply_add(output[m][n + 1], low[m], right[2], right[3]);
                    }
                }
            }
        }
    }

    // The state of a span goes into its slot, by way of what lies there, or into the results.
    DEVICE void leave(int slot, bool joins, bool ends)
    {
        if (scores() && key_warp() == 0 && lane() % 4 == 0)
            UNROLL
            for (int m = 0; m < M; m++)
                UNROLL
                for (int e = 0; e < 2; e++) mosts[row_of(m, e)] = most[m][e];
        if (threadIdx.x < ROWS * 4 && threadIdx.x % 4 == 0) sums[threadIdx.x / 4] = sum;
        __syncthreads();
        UNROLL
        for (int m = 0; m < ROW_TILES; m++)
            UNROLL
            for (int e = 0; e < 2; e++)
            {
                int row = m * 16 + lane() / 4 + 8 * e;
                if (row >= present()) continue;
                QueryState state = state_in(a.states, slot, ROWS, row, a.outputWidth());
                Fold fold(joins ? *state.greatest : LEAST, mosts[row]);
                float total = joins ? fold.of(*state.sum, sums[row]) : sums[row];
                int token = row / unit.heads, head = unit.head + row % unit.heads;
                float factor = ends ? last_factor(a.sinks, head, joins ? fold.greatest : mosts[row], total) : 1.0f;
                float* to = ends ? a.destination.vector(unit.row + token, head) : state.values;
                UNROLL
                for (int n = 0; n < TILES; n++)
                    UNROLL
                    for (int c = 0; c < 2; c++)
                    {
                        int at = warp() * COLUMNS + n * 8 + lane() % 4 * 2 + c;
                        if (at >= a.outputWidth()) continue;
                        float x = output[m][n][e * 2 + c];
                        if (joins) x = fold.of(state.values[at], x);
                        to[at] = ends ? x * factor : x;
                    }
            }
        if (ends) return;
        __syncthreads();
        if ((int)threadIdx.x < present())
        {
            QueryState state = state_in(a.states, slot, ROWS, threadIdx.x, a.outputWidth());
            Fold fold(joins ? *state.greatest : LEAST, mosts[threadIdx.x]);
            *state.sum = joins ? fold.of(*state.sum, sums[threadIdx.x]) : sums[threadIdx.x];
            *state.greatest = joins ? fold.greatest : mosts[threadIdx.x];
        }
        __syncthreads();
    }
};

template <int ROWS, int VALUES> DEVICE void attend(const AttendArguments& a)
{
    SHARED(memory);
    TensorAttention<ROWS, VALUES> attention(a, memory);
    for (int item = blockIdx.x, count = a.items->unit; item < count; item += gridDim.x) attention.run(a.items[1 + item]);
}

#define ATTEND(rows, values) KERNEL(attend_tensor_##rows##_##values, AttendArguments, a, 256) { attend<rows, values>(a); }
ATTEND(16, 128)
ATTEND(32, 128)
ATTEND(64, 128)
ATTEND(16, 256)
ATTEND(32, 256)
ATTEND(64, 256)
ATTEND(16, 512)
ATTEND(32, 512)
ATTEND(64, 512)
