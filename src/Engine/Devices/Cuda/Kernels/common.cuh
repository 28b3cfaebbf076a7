// What every kernel is written in: types, arithmetic, and what the threads of a warp or a block tell each other.
// Arithmetic is built of IEEE operations alone, which are never contracted (--fmad=false): a result has the same bits wherever it is computed.
#pragma once

typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef short i16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;
typedef long long i64;

#if defined(EMULATED)
#include "emulated.h"
#else
#if defined(__clang__)
#include "clang.cuh"
#endif
#define DEVICE __device__ __forceinline__
#define UNROLL _Pragma("unroll")
#define SHARED(name) extern __shared__ __align__(128) unsigned char name[]
// Arguments that stay where the driver puts them: an address taken of them makes no copy.
#define KERNEL(name, arguments, parameter, threads) \
    extern "C" __global__ void __launch_bounds__(threads) name(const __grid_constant__ arguments parameter)

DEVICE float fused(float a, float b, float c) { return __fmaf_rn(a, b, c); }
DEVICE float root(float x) { return __fsqrt_rn(x); }
DEVICE float rounded(float x) { return rintf(x); }
DEVICE float as_float(u32 bits) { return __uint_as_float(bits); }
DEVICE u32 as_bits(float value) { return __float_as_uint(value); }
template <typename T> DEVICE T shuffle_xor(T value, int mask) { return __shfl_xor_sync(~0u, value, mask); }
template <typename T> DEVICE T shuffle_down(T value, int delta) { return __shfl_down_sync(~0u, value, delta); }
template <typename T> DEVICE T shuffle(T value, int lane) { return __shfl_sync(~0u, value, lane); }
DEVICE u32 ballot(bool value) { return __ballot_sync(~0u, value); }
#endif

#define INFINITE as_float(0x7f800000u)

// A window on device memory, laid out as Serving.Devices.Tensor: rows of vectors, each of which lies together.
struct Tensor
{
    float* data;
    int rows, heads, width, rowStride, headStride;

    DEVICE bool empty() const { return data == nullptr; }
    DEVICE float* vector(int row, int head) const { return data + (i64)row * rowStride + (i64)head * headStride; }
    // Value `column` of a row, counted over its vectors.
    DEVICE float& at(int row, int column) const { return vector(row, column / width)[column % width]; }
};

struct alignas(16) Vec4 { float x, y, z, w; };
struct alignas(16) Quad { u32 x, y, z, w; };

template <typename T> DEVICE T least(T a, T b) { return b < a ? b : a; }
template <typename T> DEVICE T greatest(T a, T b) { return b > a ? b : a; }
DEVICE float size_of(float x) { return as_float(as_bits(x) & 0x7fffffffu); }

enum { WARP = 32 };
DEVICE int lane() { return (int)threadIdx.x & (WARP - 1); }
DEVICE int warp() { return (int)threadIdx.x / WARP; }

#if !defined(EMULATED)
// The sum over a warp, in every lane, added in one order.
template <typename T> DEVICE T warp_sum(T value)
{
    UNROLL
    for (int mask = WARP / 2; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
    return value;
}

// The sums of COUNT values (a power of two) over a warp: lane l gets that of value l * COUNT / 32. Halves change places, so that it takes
// no more shuffles than there are lanes; each sum is added in the order of warp_sum.
template <int COUNT, int MASK = WARP / 2> DEVICE float warp_sums(float (&values)[COUNT])
{
    if constexpr (COUNT == 1)
    {
        float sum = values[0];
        UNROLL
        for (int mask = MASK; mask > 0; mask /= 2) sum += shuffle_xor(sum, mask);
        return sum;
    }
    else
    {
        bool upper = (lane() & MASK) != 0;
        float kept[COUNT / 2];
        UNROLL
        for (int i = 0; i < COUNT / 2; i++)
        {
            float low = values[i], high = values[i + COUNT / 2];
            kept[i] = (upper ? high : low) + shuffle_xor(upper ? low : high, MASK);
        }
        return warp_sums<COUNT / 2, MASK / 2>(kept);
    }
}

template <typename T> DEVICE T warp_max(T value)
{
    UNROLL
    for (int mask = WARP / 2; mask > 0; mask /= 2) value = greatest(value, shuffle_xor(value, mask));
    return value;
}
#endif

// The sum over a block of whole warps, in every thread; all threads must call it.
template <typename T> DEVICE T block_sum(T value)
{
    __shared__ T sums[WARP];
    value = warp_sum(value);
    __syncthreads();
    if (lane() == 0) sums[warp()] = value;
    __syncthreads();
    T total = 0;
    for (int i = 0; i < (int)blockDim.x / WARP; i++) total += sums[i];
    return total;
}

template <typename T> DEVICE T block_max(T value)
{
    __shared__ T most[WARP];
    value = warp_max(value);
    __syncthreads();
    if (lane() == 0) most[warp()] = value;
    __syncthreads();
    T result = most[0];
    for (int i = 1; i < (int)blockDim.x / WARP; i++) result = greatest(result, most[i]);
    return result;
}

DEVICE float power_of_two(int exponent) { return as_float((u32)(exponent + 127) << 23); }

// e^x to about one unit in the last place: 2^n times a polynomial of the rest (Cephes, expf).
DEVICE float exponential(float x)
{
    float bounded = x < -104.0f ? -104.0f : x > 89.0f ? 89.0f : x;
    float n = rounded(bounded * 1.44269504088896341f);
    float r = fused(n, 2.12194440e-4f, fused(n, -0.693359375f, bounded));
    float p = 1.9875691500e-4f;
    p = fused(p, r, 1.3981999507e-3f);
    p = fused(p, r, 8.3334519073e-3f);
    p = fused(p, r, 4.1665795894e-2f);
    p = fused(p, r, 1.6666665459e-1f);
    p = fused(p, r, 5.0000001201e-1f);
    float result = fused(p * r, r, r) + 1.0f;
    int power = x == x ? (int)n : 0;
    int half = power / 2;
    return result * power_of_two(half) * power_of_two(power - half);
}

// ln x of a normal number (Cephes, logf).
DEVICE float logarithm(float x)
{
    u32 bits = as_bits(x) - 0x3f3504f3u; // the fraction lies between sqrt(1/2) and sqrt(2)
    float e = (float)((i32)bits >> 23);
    float r = as_float((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float p = 7.0376836292e-2f;
    p = fused(p, r, -1.1514610310e-1f);
    p = fused(p, r, 1.1676998740e-1f);
    p = fused(p, r, -1.2420140846e-1f);
    p = fused(p, r, 1.4249322787e-1f);
    p = fused(p, r, -1.6668057665e-1f);
    p = fused(p, r, 2.0000714765e-1f);
    p = fused(p, r, -2.4999993993e-1f);
    p = fused(p, r, 3.3333331174e-1f);
    float square = r * r;
    float y = fused(e, -2.12194440e-4f, square * r * p);
    return fused(e, 0.693359375f, r + fused(-0.5f, square, y));
}

DEVICE float hyperbolic_tangent(float x)
{
    float size = size_of(x);
    if (size > 0.625f)
    {
        float result = 1.0f - 2.0f / (exponential(2.0f * size) + 1.0f);
        return as_float(as_bits(result) | (as_bits(x) & 0x80000000u));
    }
    float z = x * x;
    float p = -5.70498872745e-3f;
    p = fused(p, z, 2.06390887954e-2f);
    p = fused(p, z, -5.37397155531e-2f);
    p = fused(p, z, 1.33314422036e-1f);
    p = fused(p, z, -3.33332819422e-1f);
    return fused(p * z, x, x);
}

DEVICE float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

// Phi(x) = (1 + erf(x / sqrt 2)) / 2; erf as a polynomial near zero and 1 - e^(a polynomial) elsewhere, minimax over each part.
DEVICE float normal_cdf(float x)
{
    float a = x * 0.70710678118654752f;
    float t = size_of(a), s = a * a, r;
    if (t > 0.927734375f)
    {
        r = fused(fused(-1.72853470e-5f, t, 3.83197126e-4f), s, fused(-3.88396438e-3f, t, 2.42546219e-2f));
        r = fused(r, t, -1.06777877e-1f);
        r = fused(r, t, -6.34846687e-1f);
        r = fused(r, t, -1.28717512e-1f);
        r = 0.5f * exponential(fused(r, t, -t));
        return x < 0 ? r : 1.0f - r;
    }
    r = -5.96761703e-4f;
    r = fused(r, s, 4.99119423e-3f);
    r = fused(r, s, -2.67681349e-2f);
    r = fused(r, s, 1.12819925e-1f);
    r = fused(r, s, -3.76125336e-1f);
    r = fused(r, s, 1.28379166e-1f);
    return fused(0.5f, fused(r, a, a), 0.5f);
}

DEVICE float bfloat_to_float(u16 bits) { return as_float((u32)bits << 16); }

// The nearest bfloat16, ties to even; no number stays no number.
DEVICE u16 float_to_bfloat(float value)
{
    u32 bits = as_bits(value);
    return value == value ? (u16)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16) : (u16)(bits >> 16 | 0x40);
}

// Exponent and fraction moved to their places mean 2^112 too little; what overflows then was infinite or no number.
DEVICE float half_to_float(u16 bits)
{
    float value = as_float((u32)(bits & 0x7fff) << 13) * as_float(0x77800000u);
    u32 size = as_bits(value);
    return as_float((size >= 0x47800000u ? size | 0x7f800000u : size) | (u32)(bits & 0x8000) << 16);
}

// The nearest half, ties to even; subnormals are rounded by adding what leaves no lower bits.
DEVICE u16 float_to_half(float value)
{
    u32 bits = as_bits(value), size = bits & 0x7fffffffu;
    u16 sign = (u16)(bits >> 16 & 0x8000);
    if (size > 0x7f800000u) return sign | 0x7e00;
    if (size >= 0x477ff000u) return sign | 0x7c00;
    if (size < 0x38800000u) return sign | (u16)(as_bits(as_float(size) + 0.5f) - 0x3f000000u);
    return sign | (u16)((size - 0x38000000u + 0xfff + (size >> 13 & 1)) >> 13);
}

// e4m3 as Float8.Widen: the code of no number is read as 480.
DEVICE float e4m3_to_float(u8 code)
{
    return as_float((u32)(code & 0x80) << 24 | (u32)(code & 0x7f) << 20) * as_float(0x7b800000u);
}
