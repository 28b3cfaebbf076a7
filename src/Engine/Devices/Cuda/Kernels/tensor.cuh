// What tensor cores read and do, and copies to shared memory that go on while threads compute. Needs compute capability 8.0.
#pragma once
#include "common.cuh"

#if defined(EMULATED)
#include "tensor.h"
#else

DEVICE u32 shared_address(const void* at)
{
#if defined(__clang__)
    return (u32)(u64)(const __attribute__((address_space(3))) void*)at;
#else
    return (u32)__cvta_generic_to_shared(at);
#endif
}

// Four matrices of 8 x 8 values of 16 bits: lanes 8 i to 8 i + 7 say where the rows of matrix i begin, and lane l gets values 2 (l % 4) and the
// next of row l / 4 of each.
DEVICE void load_matrices(u32 (&values)[4], const void* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
                 : "=r"(values[0]), "=r"(values[1]), "=r"(values[2]), "=r"(values[3]) : "r"(shared_address(row)) : "memory");
}

// The same of the matrices turned.
DEVICE void load_turned(u32 (&values)[4], const void* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
                 : "=r"(values[0]), "=r"(values[1]), "=r"(values[2]), "=r"(values[3]) : "r"(shared_address(row)) : "memory");
}

// sums += left [16 x 16] right [16 x 8] of bfloat16. Lane l has sums (l / 4, 2 (l % 4)), the next, and both eight rows below.
DEVICE void multiply_add(float (&sums)[4], const u32 (&left)[4], u32 right0, u32 right1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right0), "r"(right1));
}

// Sixteen bytes into shared memory, or as many zeros.
DEVICE void copy_later(void* to, const void* from, bool here)
{
    int bytes = here ? 16 : 0;
    asm volatile("cp.async.cg.shared.global.L2::128B [%0],[%1],16,%2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes) : "memory");
}

// Ends a group of copies.
DEVICE void end_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits for this thread's groups but the last so many.
template <int LAST> DEVICE void wait_for_copies() { asm volatile("cp.async.wait_group %0;" ::"n"(LAST) : "memory"); }
#endif

// The bfloat16 nearest to a value, which becomes what is left: three of them are all of its bits.
DEVICE u16 take_term(float& value)
{
    u16 term = float_to_bfloat(value);
    value -= bfloat_to_float(term);
    return term;
}
