// The kernels' words for a machine without a GPU: a thread is a fibre, and blocks run one after the other.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#define DEVICE inline
#define UNROLL
#define __shared__ static
#define SHARED(name) unsigned char* name = emulator::shared_memory()

struct Index { unsigned x, y, z; };

namespace emulator
{
    typedef void (*Body)(const void* arguments);

    struct Kernel
    {
        const char* source;
        const char* name;
        Body body;
        unsigned argument_bytes;
        int most_threads;
        Kernel* next;
    };

    // Puts a kernel on the list that modules are looked up in.
    struct Registered : Kernel
    {
        Registered(const char* source, const char* name, Body body, unsigned argument_bytes, int most_threads);
    };

    unsigned char* shared_memory();
    void block_barrier();
    // Gives a value to the warp and takes that of another lane once all lanes have given theirs.
    u64 exchange(u64 value, int from);
    u32 vote(bool value);
    // What the lanes of a warp do together: each gives its part, and the last to come does the work on all of them.
    void together(void* part, void (*operation)(void* const (&parts)[32], int lanes));
    int lane_index();
}

extern Index threadIdx, blockIdx, blockDim, gridDim;

#define KERNEL(name, arguments, parameter, threads)                                              \
    static void name(const arguments& parameter);                                                \
    static emulator::Registered name##_registered(__FILE__, #name,                               \
        [](const void* memory) { name(*(const arguments*)memory); }, sizeof(arguments), threads); \
    static void name(const arguments& parameter)

inline void __syncthreads() { emulator::block_barrier(); }
inline void __syncwarp() { emulator::exchange(0, 0); }

template <typename T> inline T exchange_value(T value, int from)
{
    static_assert(sizeof(T) <= sizeof(u64), "a shuffle moves eight bytes at most");
    u64 bits = 0;
    memcpy(&bits, &value, sizeof(T));
    bits = emulator::exchange(bits, from);
    memcpy(&value, &bits, sizeof(T));
    return value;
}

template <typename T> inline T shuffle_xor(T value, int mask) { return exchange_value(value, emulator::lane_index() ^ mask); }
template <typename T> inline T shuffle(T value, int lane) { return exchange_value(value, lane & 31); }
template <typename T> inline T shuffle_down(T value, int delta)
{
    int from = emulator::lane_index() + delta;
    return exchange_value(value, from < 32 ? from : emulator::lane_index());
}
inline u32 ballot(bool value) { return emulator::vote(value); }

inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float root(float x) { return __builtin_sqrtf(x); }
inline float rounded(float x) { return __builtin_rintf(x); }
inline float as_float(u32 bits) { float value; memcpy(&value, &bits, 4); return value; }
inline u32 as_bits(float value) { u32 bits; memcpy(&bits, &value, 4); return bits; }
template <typename T> inline T atomicAdd(T* at, T value) { T before = *at; *at += value; return before; }

// A value of every lane folded as by shuffles with lanes 16, 8, 4, 2 and 1 away, in one meeting of the warp instead of five.
template <typename T, typename Operation> inline void fold_lanes(T (&values)[32], Operation operation)
{
    for (int mask = 16; mask > 0; mask /= 2)
    {
        T next[32];
        for (int lane = 0; lane < 32; lane++) next[lane] = operation(values[lane], values[lane ^ mask]);
        memcpy(values, next, sizeof next);
    }
}

template <typename T> inline T warp_sum(T value)
{
    emulator::together(&value, [](void* const (&parts)[32], int)
    {
        T values[32];
        for (int lane = 0; lane < 32; lane++) values[lane] = *(T*)parts[lane];
        fold_lanes(values, [](T a, T b) { return a + b; });
        for (int lane = 0; lane < 32; lane++) *(T*)parts[lane] = values[lane];
    });
    return value;
}

template <typename T> inline T warp_max(T value)
{
    emulator::together(&value, [](void* const (&parts)[32], int)
    {
        T values[32];
        for (int lane = 0; lane < 32; lane++) values[lane] = *(T*)parts[lane];
        fold_lanes(values, [](T a, T b) { return b > a ? b : a; });
        for (int lane = 0; lane < 32; lane++) *(T*)parts[lane] = values[lane];
    });
    return value;
}

// Lane l gets the sum of value l * COUNT / 32.
template <int COUNT> inline float warp_sums(float (&values)[COUNT])
{
    emulator::together(values, [](void* const (&parts)[32], int)
    {
        float sums[COUNT];
        for (int i = 0; i < COUNT; i++)
        {
            float all[32];
            for (int lane = 0; lane < 32; lane++) all[lane] = ((float*)parts[lane])[i];
            fold_lanes(all, [](float a, float b) { return a + b; });
            sums[i] = all[0];
        }
        for (int lane = 0; lane < 32; lane++) *(float*)parts[lane] = sums[lane * COUNT / 32];
    });
    return values[0];
}
