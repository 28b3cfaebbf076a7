// The plainest work there is: what other kernels are compared with.
#include "common.cuh"

struct ReadArguments
{
    const Vec4* values;
    float* sums; // one a thread, so that nothing is left out
    i64 count;
};

KERNEL(read_all, ReadArguments, a, 256)
{
    i64 thread = (i64)blockIdx.x * blockDim.x + threadIdx.x, threads = (i64)gridDim.x * blockDim.x;
    Vec4 sum = { 0, 0, 0, 0 };
    for (i64 i = thread; i < a.count; i += threads)
    {
        Vec4 value = a.values[i];
        sum.x += value.x;
        sum.y += value.y;
        sum.z += value.z;
        sum.w += value.w;
    }
    a.sums[thread] = sum.x + sum.y + sum.z + sum.w;
}

struct MultiplyArguments
{
    float* sums;
    int rounds;
};

// Eight chains that do not wait for one another.
KERNEL(multiply_add, MultiplyArguments, a, 256)
{
    float x[8];
    UNROLL
    for (int i = 0; i < 8; i++) x[i] = (float)i + threadIdx.x;
    for (int round = 0; round < a.rounds; round++)
    {
        UNROLL
        for (int i = 0; i < 8; i++) x[i] = fused(x[i], 0.999f, 0.001f);
    }
    a.sums[(i64)blockIdx.x * blockDim.x + threadIdx.x] = x[0] + x[1] + x[2] + x[3] + x[4] + x[5] + x[6] + x[7];
}
