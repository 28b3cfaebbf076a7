// Operations that take each vector or each value alone.
#include "common.cuh"

struct NormalizeArguments
{
    Tensor source, weight, bias, destination;
    int kind;
    float epsilon, offset;
};

enum NormKind { ROOT_MEAN_SQUARE, LAYER, EUCLID };

// The factors of a vector: one for all vectors of a row, or their own.
DEVICE const float* factors_of(const Tensor& factors, const Tensor& source, int head)
{
    return factors.data + (factors.heads * factors.width == source.width ? 0 : (i64)head * source.width);
}

// A block normalises a vector. How many threads it has depends on the width alone, so that sums are always made in one order.
KERNEL(normalize, NormalizeArguments, a, 1024)
{
    int row = blockIdx.x, head = blockIdx.y, width = a.source.width;
    const float* source = a.source.vector(row, head);
    float* destination = a.destination.vector(row, head);

    float mean = 0, sum = 0;
    if (a.kind == LAYER)
    {
        for (int i = threadIdx.x; i < width; i += blockDim.x) sum += source[i];
        mean = block_sum(sum) / width;
        sum = 0;
    }
    for (int i = threadIdx.x; i < width; i += blockDim.x) sum = fused(source[i] - mean, source[i] - mean, sum);
    sum = block_sum(sum);
    float divisor = a.kind == EUCLID ? greatest(root(sum), a.epsilon) : root(sum / width + a.epsilon);

    for (int i = threadIdx.x; i < width; i += blockDim.x)
    {
        float value = (source[i] - mean) / divisor;
        if (!a.weight.empty()) value *= factors_of(a.weight, a.source, head)[i] + a.offset;
        if (!a.bias.empty()) value += factors_of(a.bias, a.source, head)[i];
        destination[i] = value;
    }
}

struct VectorArguments { Tensor vectors; };

// e^x over the sum of e^x of a vector, in place; a block a vector.
KERNEL(softmax, VectorArguments, a, 1024)
{
    float* values = a.vectors.vector(blockIdx.x, blockIdx.y);
    int width = a.vectors.width;
    float most = -INFINITE, sum = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) most = greatest(most, values[i]);
    most = block_max(most);
    for (int i = threadIdx.x; i < width; i += blockDim.x)
    {
        values[i] = exponential(values[i] - most);
        sum += values[i];
    }
    sum = block_sum(sum);
    for (int i = threadIdx.x; i < width; i += blockDim.x) values[i] /= sum;
}

struct DotArguments { Tensor left, right, destination; };

// A block sums the products of two vectors.
KERNEL(dot, DotArguments, a, 1024)
{
    const float* left = a.left.vector(blockIdx.x, blockIdx.y);
    const float* right = a.right.vector(blockIdx.x, blockIdx.y);
    float sum = 0;
    for (int i = threadIdx.x; i < a.left.width; i += blockDim.x) sum = fused(left[i], right[i], sum);
    sum = block_sum(sum);
    if (threadIdx.x == 0) a.destination.at(blockIdx.x, blockIdx.y) = sum;
}

struct RotateArguments { Tensor vectors, angles; int interleaved; };

// A thread turns a pair.
KERNEL(rotate, RotateArguments, a, 256)
{
    int half = a.vectors.width / 2, at = blockIdx.y * blockDim.x + threadIdx.x;
    if (at >= half * a.vectors.heads) return;
    int head = at / half, i = at % half;
    float* vector = a.vectors.vector(blockIdx.x, head);
    int first = a.interleaved ? 2 * i : i, second = a.interleaved ? 2 * i + 1 : i + half;
    float cosine = a.angles.at(blockIdx.x, i), sine = a.angles.at(blockIdx.x, half + i);
    float x = vector[first], y = vector[second];
    vector[first] = fused(x, cosine, -(y * sine));
    vector[second] = fused(x, sine, y * cosine);
}

struct ActivateArguments
{
    Tensor gate, up, destination;
    int function;
    float sharpness, gateLimit, resultLimit, upLimit, upOffset;
};

enum Activation { SILU, GELU, GELU_TANH, RELU, RELU_SQUARED, SIGMOID, TANH, SOFTPLUS };

DEVICE float activated(int function, float sharpness, float x)
{
    switch (function)
    {
        case SILU: return x / (1.0f + exponential(-sharpness * x));
        case GELU: return x * normal_cdf(x);
        case GELU_TANH: return x / 2 * (1.0f + hyperbolic_tangent(0.79788456080286536f * fused(0.044715f * x * x, x, x)));
        case RELU: return greatest(x, 0.0f);
        case RELU_SQUARED: return greatest(x, 0.0f) * greatest(x, 0.0f);
        case SIGMOID: return sigmoid(x);
        case TANH: return hyperbolic_tangent(x);
        default: return greatest(x, 0.0f) + logarithm(1.0f + exponential(-size_of(x)));
    }
}

KERNEL(activate, ActivateArguments, a, 256)
{
    int row = blockIdx.x, column = blockIdx.y * blockDim.x + threadIdx.x;
    if (column >= a.gate.heads * a.gate.width) return;
    float gate = a.gate.at(row, column);
    float value = activated(a.function, a.sharpness, a.gateLimit > 0 ? least(gate, a.gateLimit) : gate);
    if (a.resultLimit > 0) value = least(value, a.resultLimit);
    if (!a.up.empty())
    {
        float up = a.up.at(row, column);
        if (a.upLimit > 0) up = greatest(least(up, a.upLimit), -a.upLimit);
        value *= up + a.upOffset;
    }
    a.destination.at(row, column) = value;
}

struct AddArguments { Tensor source, destination; float scale; };

KERNEL(add, AddArguments, a, 256)
{
    int column = blockIdx.y * blockDim.x + threadIdx.x;
    if (column >= a.source.heads * a.source.width) return;
    float& to = a.destination.at(blockIdx.x, column);
    to = fused(a.source.at(blockIdx.x, column), a.scale, to);
}

struct ScaleArguments { Tensor destination, factors; float factor; };

KERNEL(scale, ScaleArguments, a, 256)
{
    int row = blockIdx.x, column = blockIdx.y * blockDim.x + threadIdx.x;
    if (column >= a.destination.heads * a.destination.width) return;
    float factor = a.factors.empty() ? a.factor
        : a.factors.at(row, a.factors.heads * a.factors.width == 1 ? 0 : column / a.destination.width);
    a.destination.at(row, column) *= factor;
}

struct CopyArguments { Tensor source, destination; const int* rows; };

// destination[i] = source[rows[i]], or source[i] where no rows are given.
KERNEL(copy_rows, CopyArguments, a, 256)
{
    int row = blockIdx.x, column = blockIdx.y * blockDim.x + threadIdx.x;
    if (column >= a.destination.heads * a.destination.width) return;
    a.destination.at(row, column) = a.source.at(a.rows ? a.rows[row] : row, column);
}
