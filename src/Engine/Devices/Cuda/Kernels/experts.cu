// The choice of experts, and the sum of what they give.
#include "common.cuh"

struct RouteArguments
{
    Tensor logits, bias, weights;
    int* ids;
    int experts, chosen, score, groups, keptGroups, rank, renormalize;
    float scale;
};

enum RouterScore { SOFTMAX, SIGMOID, SOFTMAX_OF_CHOSEN };
enum GroupRank { BEST, TWO_BEST };

// The index of the greatest value, the lowest among equals, in every lane; values that are no numbers are passed over.
DEVICE int best_of(const float* values, int count)
{
    float most = -INFINITE;
    int index = count;
    for (int i = lane(); i < count; i += WARP)
        if (values[i] > most || (values[i] == most && i < index))
        {
            most = values[i];
            index = i;
        }
    UNROLL
    for (int mask = WARP / 2; mask > 0; mask /= 2)
    {
        float other = shuffle_xor(most, mask);
        int at = shuffle_xor(index, mask);
        if (other > most || (other == most && at < index))
        {
            most = other;
            index = at;
        }
    }
    return least(index, count - 1);
}

// e^x over the sum of e^x of some values, in place, by a warp.
DEVICE void softmax_of(float* values, int count)
{
    float most = -INFINITE, sum = 0;
    for (int i = lane(); i < count; i += WARP) most = greatest(most, values[i]);
    most = warp_max(most);
    for (int i = lane(); i < count; i += WARP)
    {
        values[i] = exponential(values[i] - most);
        sum += values[i];
    }
    sum = warp_sum(sum);
    for (int i = lane(); i < count; i += WARP) values[i] /= sum;
}

DEVICE float group_rank(int rank, const float* ranks, int size)
{
    float best = -INFINITE, second = -INFINITE;
    for (int i = 0; i < size; i++)
    {
        second = greatest(second, least(best, ranks[i]));
        best = greatest(best, ranks[i]);
    }
    return rank == TWO_BEST && size > 1 ? best + second : best;
}

// A warp chooses the experts of a row. Its shared memory holds a score and a rank an expert, a rank a group and a weight a choice.
KERNEL(route, RouteArguments, a, 32)
{
    SHARED(memory);
    float* scores = (float*)memory;
    float* ranks = scores + a.experts;
    float* groups = ranks + a.experts;
    float* weights = groups + a.groups;
    const float noNumber = as_float(0x7fc00000u);
    int row = blockIdx.x;

    for (int i = lane(); i < a.experts; i += WARP)
    {
        float logit = a.logits.at(row, i);
        scores[i] = a.score == SIGMOID ? sigmoid(logit) : logit;
    }
    __syncwarp();
    if (a.score == SOFTMAX) softmax_of(scores, a.experts);
    __syncwarp();
    for (int i = lane(); i < a.experts; i += WARP)
    {
        float rank = scores[i] + (a.bias.empty() ? 0.0f : a.bias.at(0, i));
        ranks[i] = rank == rank ? rank : -INFINITE;
    }
    __syncwarp();

    if (a.keptGroups < a.groups)
    {
        int size = a.experts / a.groups;
        for (int g = lane(); g < a.groups; g += WARP) groups[g] = group_rank(a.rank, ranks + g * size, size);
        __syncwarp();
        // A kept group's rank becomes no number, which no later round finds.
        for (int kept = 0; kept < a.keptGroups; kept++)
        {
            int group = best_of(groups, a.groups);
            __syncwarp();
            if (lane() == 0) groups[group] = noNumber;
            __syncwarp();
        }
        for (int i = lane(); i < a.experts; i += WARP)
            if (groups[i / size] == groups[i / size]) ranks[i] = noNumber;
        __syncwarp();
    }

    for (int j = 0; j < a.chosen; j++)
    {
        int expert = best_of(ranks, a.experts);
        __syncwarp();
        if (lane() == 0)
        {
            ranks[expert] = noNumber;
            weights[j] = scores[expert];
            a.ids[(i64)row * a.chosen + j] = expert;
        }
        __syncwarp();
    }
    if (a.score == SOFTMAX_OF_CHOSEN) softmax_of(weights, a.chosen);
    __syncwarp();
    float sum = 0;
    for (int j = 0; j < a.chosen; j++) sum += weights[j];
    for (int j = lane(); j < a.chosen; j += WARP)
        a.weights.at(row, j) = (a.renormalize ? weights[j] / (sum + 1e-20f) : weights[j]) * a.scale;
}

struct CombineArguments
{
    Tensor source, input, weights, destination;
    const int* ids;
    int experts;
};

// A thread adds the outputs of a row's experts in the order of their choice; an expert past the given number is the identity.
KERNEL(combine_experts, CombineArguments, a, 256)
{
    int row = blockIdx.x, column = blockIdx.y * blockDim.x + threadIdx.x, chosen = a.weights.width;
    if (column >= a.destination.heads * a.destination.width) return;
    float& to = a.destination.at(row, column);
    float sum = to;
    for (int j = 0; j < chosen; j++)
    {
        float value = a.ids[(i64)row * chosen + j] < a.experts ? a.source.at(row * chosen + j, column) : a.input.at(row, column);
        sum = fused(a.weights.at(row, j), value, sum);
    }
    to = sum;
}
