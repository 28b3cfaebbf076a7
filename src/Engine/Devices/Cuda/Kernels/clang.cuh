// What NVRTC has built in, for clang without the headers of a CUDA toolkit.
#pragma once

#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __forceinline__ __attribute__((always_inline)) inline
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __grid_constant__
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

#define SPECIAL_REGISTERS(type, name, source)                                                   \
    struct type                                                                                 \
    {                                                                                           \
        __declspec(property(get = get_x)) unsigned x;                                           \
        __declspec(property(get = get_y)) unsigned y;                                           \
        __declspec(property(get = get_z)) unsigned z;                                           \
        static __device__ inline unsigned get_x() { return __nvvm_read_ptx_sreg_##source##_x(); } \
        static __device__ inline unsigned get_y() { return __nvvm_read_ptx_sreg_##source##_y(); } \
        static __device__ inline unsigned get_z() { return __nvvm_read_ptx_sreg_##source##_z(); } \
    };                                                                                          \
    extern __device__ const type name;

SPECIAL_REGISTERS(ThreadIndex, threadIdx, tid)
SPECIAL_REGISTERS(BlockIndex, blockIdx, ctaid)
SPECIAL_REGISTERS(BlockSize, blockDim, ntid)
SPECIAL_REGISTERS(GridSize, gridDim, nctaid)

__device__ __forceinline__ void __syncwarp() { __nvvm_bar_warp_sync(~0u); }
__device__ __forceinline__ float __fmaf_rn(float a, float b, float c) { return __nvvm_fma_rn_f(a, b, c); }
__device__ __forceinline__ float __fsqrt_rn(float x) { return __nvvm_sqrt_rn_f(x); }
__device__ __forceinline__ float rintf(float x) { return __builtin_rintf(x); }
__device__ __forceinline__ float __uint_as_float(u32 bits) { return __builtin_bit_cast(float, bits); }
__device__ __forceinline__ u32 __float_as_uint(float value) { return __builtin_bit_cast(u32, value); }
__device__ __forceinline__ float __shfl_xor_sync(u32 lanes, float value, int mask) { return __nvvm_shfl_sync_bfly_f32(lanes, value, mask, 31); }
__device__ __forceinline__ int __shfl_xor_sync(u32 lanes, int value, int mask) { return __nvvm_shfl_sync_bfly_i32(lanes, value, mask, 31); }
__device__ __forceinline__ float __shfl_down_sync(u32 lanes, float value, int delta) { return __nvvm_shfl_sync_down_f32(lanes, value, delta, 31); }
__device__ __forceinline__ int __shfl_down_sync(u32 lanes, int value, int delta) { return __nvvm_shfl_sync_down_i32(lanes, value, delta, 31); }
__device__ __forceinline__ float __shfl_sync(u32 lanes, float value, int lane) { return __nvvm_shfl_sync_idx_f32(lanes, value, lane, 31); }
__device__ __forceinline__ int __shfl_sync(u32 lanes, int value, int lane) { return __nvvm_shfl_sync_idx_i32(lanes, value, lane, 31); }
__device__ __forceinline__ u32 __ballot_sync(u32 lanes, bool value) { return __nvvm_vote_ballot_sync(lanes, value); }
__device__ __forceinline__ u64 __shfl_xor_sync(u32 lanes, u64 value, int mask)
{
    u32 low = (u32)__nvvm_shfl_sync_bfly_i32(lanes, (int)value, mask, 31), high = (u32)__nvvm_shfl_sync_bfly_i32(lanes, (int)(value >> 32), mask, 31);
    return (u64)high << 32 | low;
}
__device__ __forceinline__ u64 __shfl_sync(u32 lanes, u64 value, int lane)
{
    u32 low = (u32)__nvvm_shfl_sync_idx_i32(lanes, (int)value, lane, 31), high = (u32)__nvvm_shfl_sync_idx_i32(lanes, (int)(value >> 32), lane, 31);
    return (u64)high << 32 | low;
}
__device__ __forceinline__ u32 __shfl_xor_sync(u32 lanes, u32 value, int mask) { return (u32)__nvvm_shfl_sync_bfly_i32(lanes, (int)value, mask, 31); }
__device__ __forceinline__ u64 atomicAdd(u64* at, u64 value) { return (u64)__nvvm_atom_add_gen_ll((i64*)at, (i64)value); }
