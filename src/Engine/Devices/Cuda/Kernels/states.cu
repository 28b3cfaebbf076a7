// States of sequences, and convolutions over what they recall.
#include "common.cuh"

// Rows of a step that go on where the place's state is (Serving.Devices.StateBatch).
struct Run
{
    int start, end; // rows of the step
    int position;   // of the first
    int place, save;
};

// A chain is the runs that follow one another; chains act side by side.
struct StateArguments
{
    float* states;
    i64 placeBytes;
    const Run* runs;
    const int* chains; // the first run of each, and behind the last the number of runs

    DEVICE float* at(int place) const { return (float*)((u8*)states + place * placeBytes); }
};

struct RecallArguments
{
    StateArguments states;
    Tensor source, destination;
    int before;
};

// A thread has one value of every row. The oldest rows come first.
KERNEL(recall, RecallArguments, a, 128)
{
    int width = a.source.width, columns = a.source.heads * width, column = blockIdx.y * blockDim.x + threadIdx.x;
    if (column >= columns) return;
    int head = column / width, i = column % width;
    for (int r = a.states.chains[blockIdx.x]; r < a.states.chains[blockIdx.x + 1]; r++)
    {
        Run run = a.states.runs[r];
        float* kept = a.states.at(run.place) + column;
        auto value = [&](int row)
        {
            if (row >= run.start) return a.source.vector(row, head)[i];
            return run.position == 0 ? 0.0f : kept[(i64)(row - run.start + a.before) * columns];
        };
        for (int row = run.start; row < run.end; row++)
            for (int tap = 0; tap <= a.before; tap++) a.destination.vector(row, head)[tap * width + i] = value(row - a.before + tap);
        for (int tap = 0; tap < a.before; tap++)
        {
            float last = value(run.end - a.before + tap);
            kept[(i64)tap * columns] = last;
            if (run.save >= 0) (a.states.at(run.save) + column)[(i64)tap * columns] = last;
        }
    }
}

struct AccumulateArguments
{
    StateArguments states;
    Tensor source, destination;
    float decay, gain;
    int period;
};

// A thread has one value of every row.
KERNEL(accumulate, AccumulateArguments, a, 128)
{
    int column = blockIdx.y * blockDim.x + threadIdx.x;
    if (column >= a.source.heads * a.source.width) return;
    int head = column / a.source.width, i = column % a.source.width;
    for (int r = a.states.chains[blockIdx.x]; r < a.states.chains[blockIdx.x + 1]; r++)
    {
        Run run = a.states.runs[r];
        float sum = a.states.at(run.place)[column];
        for (int row = run.start; row < run.end; row++)
        {
            int position = run.position + row - run.start;
            if (position == 0 || (a.period > 0 && position % a.period == 0)) sum = 0;
            a.destination.vector(row, head)[i] = sum = fused(a.source.vector(row, head)[i], a.gain, sum * a.decay);
        }
        a.states.at(run.place)[column] = sum;
        if (run.save >= 0) a.states.at(run.save)[column] = sum;
    }
}

struct DeltaArguments
{
    StateArguments states;
    Tensor query, key, value, decay, strength, destination;
    int shared; // whether the memory's columns fit into shared memory
};

constexpr int COLUMNS = 32, SLICES = 4;

// A block has some columns of one head's memory. Its threads share the memory's rows among them in slices, whose sums are added in order.
KERNEL(delta, DeltaArguments, a, 128)
{
    SHARED(bytes);
    __shared__ float parts[SLICES][COLUMNS];
    int keys = a.key.width, values = a.value.width, head = blockIdx.y, first = blockIdx.z * COLUMNS;
    int at = threadIdx.x % COLUMNS, slice = threadIdx.x / COLUMNS, column = first + at;
    bool here = column < values;
    float *factors = (float*)bytes, *key = factors + keys, *query = key + keys, *columns = query + keys;
    for (int r = a.states.chains[blockIdx.x]; r < a.states.chains[blockIdx.x + 1]; r++)
    {
        Run run = a.states.runs[r];
        i64 offset = (i64)head * keys * values + column;
        float* kept = a.states.at(run.place) + offset;
        float* memory = a.shared ? columns + at : kept;
        int pitch = a.shared ? COLUMNS : values;
        if (here)
            for (int i = slice; i < keys; i += SLICES) memory[i * pitch] = run.position == 0 ? 0.0f : kept[(i64)i * values];
        for (int row = run.start; row < run.end; row++)
        {
            __syncthreads();
            for (int i = threadIdx.x; i < keys; i += blockDim.x)
            {
                factors[i] = exponential(a.decay.vector(row, head)[i]);
                key[i] = a.key.vector(row, head)[i];
                query[i] = a.query.vector(row, head)[i];
            }
            __syncthreads();
            float known = 0, read = 0;
            for (int i = slice; i < keys && here; i += SLICES)
            {
                float faded = memory[i * pitch] * factors[i];
                memory[i * pitch] = faded;
                known = fused(faded, key[i], known);
            }
            parts[slice][at] = known;
            __syncthreads();
            known = ((parts[0][at] + parts[1][at]) + parts[2][at]) + parts[3][at];
            float news = here ? (a.value.vector(row, head)[column] - known) * a.strength.at(row, head) : 0.0f;
            for (int i = slice; i < keys && here; i += SLICES)
            {
                float written = fused(news, key[i], memory[i * pitch]);
                memory[i * pitch] = written;
                read = fused(written, query[i], read);
            }
            __syncthreads();
            parts[slice][at] = read;
            __syncthreads();
            if (here && slice == 0) a.destination.vector(row, head)[column] = ((parts[0][at] + parts[1][at]) + parts[2][at]) + parts[3][at];
        }
        if (!here) continue;
        float* save = run.save >= 0 ? a.states.at(run.save) + offset : nullptr;
        for (int i = slice; i < keys; i += SLICES)
        {
            float value = memory[i * pitch];
            if (a.shared) kept[(i64)i * values] = value;
            if (save != nullptr) save[(i64)i * values] = value;
        }
    }
}

struct ConvolveArguments
{
    Tensor windows, weights, bias, destination;
};

KERNEL(convolve, ConvolveArguments, a, 128)
{
    int row = blockIdx.x, width = a.destination.width, column = blockIdx.y * blockDim.x + threadIdx.x;
    if (column >= a.destination.heads * width) return;
    int head = column / width, at = column % width;
    const float* window = a.windows.vector(row, head);
    float sum = a.bias.empty() ? 0.0f : a.bias.at(0, column);
    for (int i = at; i < a.windows.width; i += width) sum = fused(a.weights.at(0, head * a.windows.width + i), window[i], sum);
    a.destination.vector(row, head)[at] = sum;
}
