// The choice of a token from each row of logits, to the bit as Serving.Sampling.Sampler makes it: a weight is the same float, and counted in
// whole steps of 2^-34 of the best token's. Such sums are exact in any order, so that neither threads nor their number show.
#include "common.cuh"

// How one token is chosen, laid out as Serving.Devices.ChoiceTerms.
struct Terms
{
    double least, uniform;
    float inverseTemperature, topP, repetition, presence, frequency;
    int row, topK, mask, firstBias, endBias, firstBan, endBan, firstCount, endCount;

    DEVICE bool edits() const { return mask >= 0 || firstBias < endBias || firstBan < endBan || firstCount < endCount; }
};

struct Bias { int id; float value; };
struct Count { int id, generated; };

struct ChooseArguments
{
    Tensor logits;
    float* edited;
    const Terms* terms;
    const u32* masks;
    const Bias* biases;
    const int* bans;
    const Count* counts;
    int* chosen;
    int first, firstRow;
};

enum { NOTHING_ALLOWED = -1, NOT_FINITE = -2 };
enum { BINS = 256, BIN_BITS = 8, EVERY_ID = 0x7fffffff };

// A logit as a number that orders unsigned; both zeros are one.
DEVICE u32 rank_of(float logit)
{
    u32 bits = as_bits(logit + 0.0f);
    return bits ^ ((u32)((i32)bits >> 31) | 0x80000000u);
}

DEVICE float logit_of(u32 rank) { return as_float((rank & 0x80000000u) != 0 ? rank ^ 0x80000000u : ~rank); }

// The tokens of a row that are still in the running, and what they weigh.
struct Running
{
    const float* logits;
    int count;
    float peak, inverseTemperature, floor;
    u32 cut;  // of this rank only ids up to `last` are left, and of lower ranks none
    int last;

    DEVICE bool has(int id, float logit) const
    {
        u32 rank = rank_of(logit);
        return logit >= floor && (rank > cut || (rank == cut && id <= last));
    }

    // e^x in steps of 2^-34 by the operations of RowWeights.Exp, in their order.
    DEVICE u64 weight(float logit) const
    {
        float x = greatest((logit - peak) * inverseTemperature, -87.0f);
        float shifted = fused(x, 1.44269504f, 12582912.0f);
        float n = shifted - 12582912.0f;
        float r = fused(n, 2.12194440e-4f, fused(n, -0.693359375f, x));
        float p = fused(r, 1.9875691500e-4f, 1.3981999507e-3f);
        p = fused(p, r, 8.3334519073e-3f);
        p = fused(p, r, 4.1665795894e-2f);
        p = fused(p, r, 1.6666665459e-1f);
        p = fused(p, r, 5.0000001201e-1f);
        p = fused(p, r * r, r + 1.0f);
        return (u64)rounded(as_float(as_bits(p) + (as_bits(shifted) << 23)) * 17179869184.0f);
    }

    DEVICE u64 weight(int id, float logit) const { return has(id, logit) ? weight(logit) : 0; }
};

struct Share { int first, end, size; };

// A warp's part of some tokens: all parts begin at multiples of a warp and lie one after the other.
DEVICE Share share_of(int first, int end)
{
    int warps = (int)blockDim.x / WARP;
    int size = ((end - first + warps - 1) / warps + WARP - 1) / WARP * WARP;
    int from = least(first + warp() * size, end);
    return { from, least(from + size, end), size };
}

// Visits each token of a warp's share once, several of a lane's loads at a time.
template <typename Visit> DEVICE void sweep(const float* logits, Share share, Visit visit)
{
    const int LOADS = 4;
    for (int at = share.first + lane(); at < share.end; at += LOADS * WARP)
    {
        float values[LOADS];
        UNROLL
        for (int i = 0; i < LOADS; i++) values[i] = at + i * WARP < share.end ? logits[at + i * WARP] : 0.0f;
        UNROLL
        for (int i = 0; i < LOADS; i++)
            if (at + i * WARP < share.end) visit(at + i * WARP, values[i]);
    }
}

DEVICE u64 sum_up_to_lane(u64 value)
{
    UNROLL
    for (int delta = 1; delta < WARP; delta *= 2)
    {
        u64 before = shuffle(value, (lane() - delta) & (WARP - 1));
        if (lane() >= delta) value += before;
    }
    return value;
}

// The lowest lane for which something is true, or 32.
DEVICE int first_lane(bool value) { return WARP - warp_max(value ? WARP - lane() : 0); }

// The token, in the order of ids, at which the running sum of values exceeds the goal, which may depend on the sum of all. A block has two warps
// at least, which share what is left until it is one token a lane.
template <typename Value, typename Goal> DEVICE int find(const Running& running, Value value, Goal goal_of)
{
    __shared__ u64 sums[WARP];
    int first = 0, end = running.count, warps = (int)blockDim.x / WARP;
    u64 goal = 0;
    do
    {
        Share share = share_of(first, end);
        u64 sum = 0;
        sweep(running.logits, share, [&](int id, float logit) { sum += value(id, logit); });
        sum = warp_sum(sum);
        __syncthreads();
        if (lane() == 0) sums[warp()] = sum;
        __syncthreads();
        if (end - first == running.count)
        {
            u64 total = 0;
            for (int i = 0; i < warps; i++) total += sums[i];
            goal = goal_of(total);
        }
        int part = 0;
        while (part < warps - 1 && sums[part] <= goal) goal -= sums[part++];
        first = least(first + part * share.size, end - 1);
        end = least(first + share.size, end);
    }
    while (end - first > WARP);
    int id = first + lane();
    return first + least(first_lane(sum_up_to_lane(id < end ? value(id, running.logits[id]) : 0) > goal), end - 1 - first);
}

struct Border
{
    u32 rank;
    u64 above, equal;
};

// The rank at which the values of tokens, the best first, sum to the target, of ranks from `lowest` on; false where all together do not. The
// range of ranks is cut into bins, then the bin in which the target is reached, until a bin is one rank.
template <typename Value> DEVICE bool reach(const Running& running, u32 lowest, double target, Value value, Border& border)
{
    __shared__ u64 bins[BINS];
    u32 range = rank_of(running.peak) - lowest, within = BINS;
    int shift = 0;
    while (range >> shift >= BINS) shift++;
    border.above = 0;
    for (;;)
    {
        __syncthreads();
        for (int i = threadIdx.x; i < BINS; i += blockDim.x) bins[i] = 0;
        __syncthreads();
        sweep(running.logits, share_of(0, running.count), [&](int id, float logit)
        {
            u32 rank = rank_of(logit), bin = (rank - lowest) >> shift;
            if (rank < lowest || bin >= within) return;
            u64 own = value(id, logit);
            if (own != 0) atomicAdd(&bins[bin], own);
        });
        __syncthreads();

        const int EACH = BINS / WARP;
        u64 own = 0;
        int top = BINS - 1 - lane() * EACH;
        for (int i = 0; i < EACH; i++) own += bins[top - i];
        u64 sum = sum_up_to_lane(own);
        int passed = first_lane((double)(border.above + sum) >= target);
        if (passed == WARP) return false;
        border.above += shuffle(sum - own, passed);
        int bin = BINS - 1 - passed * EACH;
        while ((double)(border.above + bins[bin]) < target) border.above += bins[bin--];
        lowest += (u32)bin << shift;
        border.rank = lowest;
        border.equal = bins[bin];
        if (shift == 0) return true;
        int next = greatest(shift - BIN_BITS, 0);
        within = 1u << (shift - next);
        shift = next;
    }
}

// Leaves the tokens down to a border; of those at it, each of one value, the lowest ids as far as the target needs them.
template <typename Value> DEVICE void cut_at(Running& running, const Border& border, double target, u64 each, Value value)
{
    u64 needed = (u64)target;
    if ((double)needed < target) needed++;
    needed -= border.above;
    int last = border.rank == running.cut ? running.last : EVERY_ID;
    if (needed + each <= border.equal)
        last = find(running,
            [&](int id, float logit) { return rank_of(logit) == border.rank ? value(id, logit) : (u64)0; }, [&](u64) { return needed - 1; });
    running.cut = border.rank;
    running.last = last;
}

// The best logit and the lowest id that has it, as rank and id's complement; the greatest number where a logit is no number or infinite.
// Each thread is told the best rank of its own tokens.
DEVICE u64 best_of(const float* logits, int count, u32& own)
{
    u64 best = 0;
    sweep(logits, share_of(0, count), [&](int id, float logit)
    {
        u64 key = logit < INFINITE ? (u64)rank_of(logit) << 32 | ~(u32)id : ~(u64)0;
        best = greatest(best, key);
    });
    own = (u32)(best >> 32);
    return block_max(best);
}

// The row with its biases, masks, bans and penalties, in this order: what is masked stays so whatever is added.
DEVICE void edit(const ChooseArguments& a, const Terms& terms, const float* logits, float* edited)
{
    u32 count = (u32)a.logits.width;
    const u32* mask = a.masks + terms.mask;
    for (u32 id = threadIdx.x; id < count; id += blockDim.x)
        edited[id] = terms.mask < 0 || (mask[id / 32] >> id % 32 & 1) != 0 ? logits[id] : -INFINITE;
    __syncthreads();
    for (int i = terms.firstBias + (int)threadIdx.x; i < terms.endBias; i += blockDim.x)
        if ((u32)a.biases[i].id < count) edited[a.biases[i].id] += a.biases[i].value;
    __syncthreads();
    for (int i = terms.firstBan + (int)threadIdx.x; i < terms.endBan; i += blockDim.x)
        if ((u32)a.bans[i] < count) edited[a.bans[i]] = -INFINITE;
    __syncthreads();
    for (int i = terms.firstCount + (int)threadIdx.x; i < terms.endCount; i += blockDim.x)
    {
        Count times = a.counts[i];
        if ((u32)times.id >= count) continue;
        float logit = edited[times.id];
        logit = logit > 0 ? logit / terms.repetition : logit * terms.repetition;
        if (times.generated > 0) logit -= terms.presence;
        edited[times.id] = logit - terms.frequency * (float)times.generated;
    }
    __syncthreads();
}

// Of tokens that are at least as likely as min_p asks, the top_k best, of those the fewest that reach top_p, of those the one that is drawn.
DEVICE int draw(const Terms& terms, Running& running, u32 own)
{
    float floor = (float)((double)running.peak + terms.least);
    running.floor = least(greatest(floor, -as_float(0x7f7fffffu)), running.peak);
    u32 lowest = rank_of(running.floor);
    auto one = [&](int id, float logit) { return (u64)(running.has(id, logit) ? 1 : 0); };
    auto weight = [&](int id, float logit) { return running.weight(id, logit); };

    Border border;
    if (terms.topK > 0 && terms.topK < running.count)
    {
        // As many tokens as there are threads are as good as the worst of the threads' best ones.
        u32 from = terms.topK <= (int)blockDim.x ? greatest(lowest, ~block_max(~own)) : lowest;
        if (reach(running, from, terms.topK, one, border)) cut_at(running, border, terms.topK, 1, one);
    }
    if (terms.topP < 1)
    {
        u64 sum = 0;
        sweep(running.logits, share_of(0, running.count), [&](int id, float logit) { sum += weight(id, logit); });
        double total = (double)block_sum(sum), target = (double)terms.topP * total;
        // All tokens lighter than the left-out weight spread evenly weigh less than it together; a tenth off covers rounding.
        float light = logarithm((float)((1.0 - (double)terms.topP) * total / running.count * (0.9 / 17179869184.0)));
        u32 from = greatest(lowest, least(rank_of(running.peak + light / running.inverseTemperature), rank_of(running.peak)));
        if (reach(running, from, target, weight, border) || reach(running, lowest, target, weight, border))
            cut_at(running, border, target, running.weight(logit_of(border.rank)), weight);
    }
    return find(running, weight, [&](u64 total) { return (u64)(terms.uniform * (double)total); });
}

// A block chooses one token.
KERNEL(choose, ChooseArguments, a, 1024)
{
    Terms terms = a.terms[a.first + blockIdx.x];
    int count = a.logits.width;
    const float* logits = a.logits.vector(terms.row - a.firstRow, 0);
    u32 own;
    u64 best = best_of(logits, count, own);
    if (best != ~(u64)0 && terms.edits())
    {
        float* edited = a.edited + (i64)blockIdx.x * count;
        edit(a, terms, logits, edited);
        // Where nothing was allowed from the beginning, the edits change nothing.
        best = best_of(edited, count, own);
        logits = edited;
    }
    int chosen = best == ~(u64)0 ? NOT_FINITE : (u32)(best >> 32) == rank_of(-INFINITE) ? NOTHING_ALLOWED : (int)~(u32)best;
    if (chosen >= 0 && terms.topK != 1)
    {
        Running running = { logits, count, logits[chosen], terms.inverseTemperature, 0, 0, EVERY_ID };
        chosen = draw(terms, running, own);
    }
    if (threadIdx.x == 0) a.chosen[a.first + blockIdx.x] = chosen;
}
