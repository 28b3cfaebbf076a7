// Stored weights as they lie in a file, row after row, and how their values are read (the block formats are ggml's).
#pragma once
#include "common.cuh"

enum StoredType { F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, MXFP4, F8_E4M3 };

struct Weights
{
    const u8* data;
    i64 rowBytes;
    int type, outputs, inputs, stack;

    DEVICE const u8* row(int matrix, int output) const { return data + ((i64)matrix * outputs + output) * rowBytes; }
};

DEVICE u16 two_bytes(const u8* at) { return *(const u16*)at; }

// Eight bytes that lie at an even address.
DEVICE void eight_bytes(const u8* at, u8 (&bytes)[8])
{
    UNROLL
    for (int i = 0; i < 4; i++)
    {
        u16 pair = two_bytes(at + 2 * i);
        bytes[2 * i] = (u8)pair;
        bytes[2 * i + 1] = (u8)(pair >> 8);
    }
}

// Scale and minimum of a group of 32 in a block of 256: twelve bytes hold eight of each, six bits wide.
DEVICE void group_scale(const u8* packed, int group, int& scale, int& minimum)
{
    if (group < 4)
    {
        scale = packed[group] & 63;
        minimum = packed[group + 4] & 63;
        return;
    }
    scale = (packed[group + 4] & 15) | packed[group - 4] >> 6 << 4;
    minimum = packed[group + 4] >> 4 | packed[group] >> 6 << 4;
}

// Sixteen codes of four bits: 0, 1/2, 1, 3/2, 2, 3, 4, 6, and the same below zero (E2M1).
DEVICE float four_bits_to_float(int code)
{
    int exponent = code >> 1 & 3, fraction = code & 1;
    float size = exponent == 0 ? 0.5f * fraction : (2 + fraction) * power_of_two(exponent - 2);
    return code & 8 ? -size : size;
}

// Plain values: whole vectors where rows begin at multiples of sixteen bytes, zeros past the end.
template <int TYPE> DEVICE float plain_value(const u8* row, int i)
{
    if (TYPE == F32) return ((const float*)row)[i];
    u16 bits = ((const u16*)row)[i];
    return TYPE == F16 ? half_to_float(bits) : bfloat_to_float(bits);
}

template <int TYPE> DEVICE void widen_plain(const Weights& weights, const u8* row, int first, float (&values)[8])
{
    if (weights.inputs % 8 != 0)
    {
        UNROLL
        for (int i = 0; i < 8; i++) values[i] = first + i < weights.inputs ? plain_value<TYPE>(row, first + i) : 0.0f;
        return;
    }
    if (TYPE == F32)
    {
        Vec4 low = ((const Vec4*)row)[first / 4], high = ((const Vec4*)row)[first / 4 + 1];
        values[0] = low.x; values[1] = low.y; values[2] = low.z; values[3] = low.w;
        values[4] = high.x; values[5] = high.y; values[6] = high.z; values[7] = high.w;
        return;
    }
    Quad quad = ((const Quad*)row)[first / 8];
    u32 pairs[4] = { quad.x, quad.y, quad.z, quad.w };
    UNROLL
    for (int i = 0; i < 8; i++)
    {
        u16 bits = (u16)(pairs[i / 2] >> i % 2 * 16);
        values[i] = TYPE == F16 ? half_to_float(bits) : bfloat_to_float(bits);
    }
}

// Blocks of 32 with a scale and a minimum, in half precision.
template <int TYPE> DEVICE void widen_minimum(const u8* block, int at, float (&values)[8])
{
    float scale = half_to_float(two_bytes(block)), minimum = half_to_float(two_bytes(block + 2));
    u32 fifth = TYPE == Q5_1 ? two_bytes(block + 4) | (u32)two_bytes(block + 6) << 16 : 0;
    u8 bytes[8];
    eight_bytes(block + (TYPE == Q5_1 ? 8 : 4) + at % 16, bytes);
    UNROLL
    for (int i = 0; i < 8; i++)
    {
        int value = bytes[i] >> at / 16 * 4 & 15;
        if (TYPE == Q5_1) value |= (int)(fifth >> (at + i) & 1) << 4;
        values[i] = (float)value * scale + minimum;
    }
}

// Blocks of 256 in eight groups with a scale and a minimum each.
template <int TYPE> DEVICE void widen_groups(const u8* block, int at, float (&values)[8])
{
    int group = at / 32, i = at % 32, scale, minimum;
    group_scale(block + 4, group, scale, minimum);
    float factor = half_to_float(two_bytes(block)) * scale, offset = half_to_float(two_bytes(block + 2)) * minimum;
    u8 bytes[8], high[8];
    eight_bytes(block + (TYPE == Q5_K ? 48 : 16) + group / 2 * 32 + i, bytes);
    if (TYPE == Q5_K) eight_bytes(block + 16 + i, high);
    UNROLL
    for (int j = 0; j < 8; j++)
    {
        int value = bytes[j] >> group % 2 * 4 & 15;
        if (TYPE == Q5_K) value |= (high[j] >> group & 1) << 4;
        values[j] = factor * value - offset;
    }
}

// Blocks of 256 in sixteen groups: nibbles, pairs of bits, scales of eight bits, and the scale of all.
DEVICE void widen_six(const u8* block, int at, float (&values)[8])
{
    int half = at / 128, quarter = at / 32 % 4, i = at % 32;
    u8 nibbles[8], pairs[8];
    eight_bytes(block + half * 64 + quarter % 2 * 32 + i, nibbles);
    eight_bytes(block + 128 + half * 32 + i, pairs);
    float scale = half_to_float(two_bytes(block + 208)) * (i8)block[192 + at / 16];
    UNROLL
    for (int j = 0; j < 8; j++)
    {
        int value = (nibbles[j] >> quarter / 2 * 4 & 15) | (pairs[j] >> quarter * 2 & 3) << 4;
        values[j] = scale * (value - 32);
    }
}

// 2^-127 is no normal number; all ones are none at all.
DEVICE float power_of_eight_bits(u8 exponent)
{
    return as_float(exponent == 255 ? 0x7fc00000u : exponent == 0 ? 0x00400000u : (u32)exponent << 23);
}

DEVICE float eight_bits_to_float(u8 code) { return (code & 127) == 127 ? as_float(0x7fc00000u) : e4m3_to_float(code); }

// The codes first to first + 7 of a stored row and the factor of their block, for the types that have a factor alone.
template <int TYPE> DEVICE float codes8(const u8* row, int first, float (&codes)[8])
{
    int at = first % 32;
    if (TYPE == MXFP4)
    {
        const u8* block = row + first / 32 * 17;
        UNROLL
        for (int i = 0; i < 8; i++) codes[i] = four_bits_to_float(block[1 + at % 16 + i] >> at / 16 * 4 & 15);
        return power_of_eight_bits(block[0]);
    }
    if (TYPE == F8_E4M3)
    {
        const u8* block = row + first / 128 * 132;
        UNROLL
        for (int i = 0; i < 8; i++) codes[i] = eight_bits_to_float(block[4 + first % 128 + i]);
        return *(const float*)block;
    }
    const u8* block = row + first / 32 * (TYPE == Q8_0 ? 34 : TYPE == Q4_0 ? 18 : 22);
    u8 bytes[8];
    if (TYPE == Q8_0)
    {
        eight_bytes(block + 2 + at, bytes);
        UNROLL
        for (int i = 0; i < 8; i++) codes[i] = (float)(i8)bytes[i];
        return half_to_float(two_bytes(block));
    }
    u32 fifth = TYPE == Q5_0 ? two_bytes(block + 2) | (u32)two_bytes(block + 4) << 16 : 0;
    eight_bytes(block + (TYPE == Q5_0 ? 6 : 2) + at % 16, bytes);
    UNROLL
    for (int i = 0; i < 8; i++)
    {
        int value = bytes[i] >> at / 16 * 4 & 15;
        if (TYPE == Q5_0) value |= (int)(fifth >> (at + i) & 1) << 4;
        codes[i] = (float)(value - (TYPE == Q5_0 ? 16 : 8));
    }
    return half_to_float(two_bytes(block));
}

// The values first to first + 7 of a stored row; first is a multiple of eight, and past the end of the row stand zeros.
template <int TYPE> DEVICE void widen8(const Weights& weights, const u8* row, int first, float (&values)[8])
{
    if (TYPE == F32 || TYPE == F16 || TYPE == BF16) widen_plain<TYPE>(weights, row, first, values);
    else if (TYPE == Q4_1) widen_minimum<Q4_1>(row + first / 32 * 20, first % 32, values);
    else if (TYPE == Q5_1) widen_minimum<Q5_1>(row + first / 32 * 24, first % 32, values);
    else if (TYPE == Q4_K) widen_groups<Q4_K>(row + first / 256 * 144, first % 256, values);
    else if (TYPE == Q5_K) widen_groups<Q5_K>(row + first / 256 * 176, first % 256, values);
    else if (TYPE == Q6_K) widen_six(row + first / 256 * 210, first % 256, values);
    else
    {
        float scale = codes8<TYPE>(row, first, values);
        UNROLL
        for (int i = 0; i < 8; i++) values[i] *= scale;
    }
}

// The same where the type is only known when the kernel runs.
DEVICE void widen8(const Weights& weights, const u8* row, int first, float (&values)[8])
{
    switch (weights.type)
    {
        case F32: widen8<F32>(weights, row, first, values); break;
        case F16: widen8<F16>(weights, row, first, values); break;
        case BF16: widen8<BF16>(weights, row, first, values); break;
        case Q8_0: widen8<Q8_0>(weights, row, first, values); break;
        case Q4_0: widen8<Q4_0>(weights, row, first, values); break;
        case Q4_1: widen8<Q4_1>(weights, row, first, values); break;
        case Q5_0: widen8<Q5_0>(weights, row, first, values); break;
        case Q5_1: widen8<Q5_1>(weights, row, first, values); break;
        case Q4_K: widen8<Q4_K>(weights, row, first, values); break;
        case Q5_K: widen8<Q5_K>(weights, row, first, values); break;
        case Q6_K: widen8<Q6_K>(weights, row, first, values); break;
        case MXFP4: widen8<MXFP4>(weights, row, first, values); break;
        default: widen8<F8_E4M3>(weights, row, first, values); break;
    }
}
