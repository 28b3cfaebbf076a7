// Tensor cores and copies that go on while threads compute, for a machine without them. A copy arrives at the last moment that is allowed: until
// its thread waits for it, its place holds no numbers.
#pragma once

namespace emulator
{
    void begin_copy(void* to, const void* from, bool here);
    void end_copies();
    void wait_for_copies(int last);
    [[noreturn]] void fail(const char* what);
}

struct MatrixRows
{
    const u16* row;
    u32 (&values)[4];
};

template <bool TURNED> inline void load(u32 (&values)[4], const void* row)
{
    if ((uintptr_t)row % 16 != 0) emulator::fail("a row of a matrix does not begin at a multiple of 16 bytes");
    MatrixRows mine = { (const u16*)row, values };
    emulator::together(&mine, [](void* const (&parts)[32], int)
    {
        for (int lane = 0; lane < 32; lane++)
            for (int i = 0; i < 4; i++)
            {
                u32 pair[2];
                for (int j = 0; j < 2; j++)
                {
                    int across = lane / 4, along = lane % 4 * 2 + j;
                    pair[j] = ((MatrixRows*)parts[i * 8 + (TURNED ? along : across)])->row[TURNED ? across : along];
                }
                ((MatrixRows*)parts[lane])->values[i] = pair[0] | pair[1] << 16;
            }
    });
}

inline void load_matrices(u32 (&values)[4], const void* row) { load<false>(values, row); }
inline void load_turned(u32 (&values)[4], const void* row) { load<true>(values, row); }

struct Product
{
    float (&sums)[4];
    const u32 (&left)[4];
    u32 right[2];
};

inline void multiply_add(float (&sums)[4], const u32 (&left)[4], u32 right0, u32 right1)
{
    Product mine = { sums, left, { right0, right1 } };
    emulator::together(&mine, [](void* const (&parts)[32], int)
    {
        float a[16][16], b[16][8], sum[16][8] = {};
        for (int lane = 0; lane < 32; lane++)
        {
            const Product& part = *(const Product*)parts[lane];
            int row = lane / 4, k = lane % 4 * 2;
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 2; j++) a[row + i % 2 * 8][k + i / 2 * 8 + j] = as_float(part.left[i] >> 16 * j << 16);
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 2; j++) b[k + i * 8 + j][row] = as_float(part.right[i] >> 16 * j << 16);
        }
        for (int row = 0; row < 16; row++)
            for (int k = 0; k < 16; k++)
                for (int column = 0; column < 8; column++) sum[row][column] += a[row][k] * b[k][column];
        for (int lane = 0; lane < 32; lane++)
            for (int i = 0; i < 4; i++) ((Product*)parts[lane])->sums[i] += sum[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
    });
}

inline void copy_later(void* to, const void* from, bool here)
{
    if (((uintptr_t)to | (uintptr_t)from) % 16 != 0) emulator::fail("a copy of 16 bytes does not begin at a multiple of them");
    emulator::begin_copy(to, from, here);
}

inline void end_copies() { emulator::end_copies(); }
template <int LAST> inline void wait_for_copies() { emulator::wait_for_copies(LAST); }
