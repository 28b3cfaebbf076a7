// Cached vectors: where they lie in their pages, and what their bytes mean. To the bit as Serving.Devices.RowCoding.
#pragma once
#include "common.cuh"

enum CacheType { FLOAT32, BFLOAT16, FP8, INT8, INT4 };

// A cached stream (Serving.Devices.PagedRows), or rows in scratch memory that are read like one.
struct Stream
{
    u8* pages;
    u8* open; // vectors as the rows of the step leave them, values and scales of each together
    i64 pageBytes, rowBytes, groupBytes; // from one page, row and group to the next
    i64 scaleOffset;                     // from a page to its scales, which lie group by group and row by row
    int rowsPerPage, groups, width, stride;
    int type, groupWidth, valueBytes, scales;

    DEVICE bool empty() const { return pages == nullptr; }
    DEVICE int vectorBytes() const { return valueBytes + scales * 2; }
};

// A stored vector.
struct Vector
{
    u8* values;
    u8* scales;
};

DEVICE Vector vector_in_page(const Stream& stream, int page, int group, int place)
{
    u8* start = stream.pages + page * stream.pageBytes;
    return {
        start + group * stream.groupBytes + place * stream.rowBytes,
        start + stream.scaleOffset + ((i64)group * stream.rowsPerPage + place) * stream.scales * 2};
}

DEVICE Vector open_vector(const Stream& stream, int row, int group)
{
    u8* start = stream.open + ((i64)row * stream.groups + group) * stream.vectorBytes();
    return {start, start + stream.valueBytes};
}

template <int TYPE> DEVICE float scale_value(u16 bits) { return TYPE == INT4 ? half_to_float(bits) : bfloat_to_float(bits); }

// Value `index` of a stored vector.
template <int TYPE> DEVICE float stored_value(const Stream& stream, const Vector& vector, int index)
{
    if (TYPE == FLOAT32) return ((const float*)vector.values)[index];
    if (TYPE == BFLOAT16) return bfloat_to_float(((const u16*)vector.values)[index]);
    float scale = scale_value<TYPE>(((const u16*)vector.scales)[index / stream.groupWidth]);
    if (TYPE == FP8) return scale * e4m3_to_float(vector.values[index]);
    if (TYPE == INT8) return scale * (i8)vector.values[index];
    return scale * ((i8)(vector.values[index / 2] << (4 - index % 2 * 4)) >> 4);
}

// The greatest stored number of a type.
DEVICE float greatest_number(int type) { return type == FP8 ? 448.0f : type == INT8 ? 127.0f : 7.0f; }

// The stored scale of a group whose greatest size has these bits; a group that holds something infinite or no number is no numbers.
DEVICE u16 scale_of(int type, u32 greatestBits)
{
    float scale = greatestBits >= 0x7f800000u ? as_float(0x7fc00000u) : as_float(greatestBits) / greatest_number(type);
    return type == INT4 ? float_to_half(scale > 65504.0f ? 65504.0f : scale) : float_to_bfloat(scale);
}

// The nearest e4m3, ties to even: adding 2^20 times the power of two below the value leaves three bits of fraction.
DEVICE u8 float_to_e4m3(float value)
{
    u32 sign = as_bits(value) >> 24 & 0x80u;
    float size = size_of(value);
    if (size > 448.0f) size = 448.0f;
    float step = as_float(greatest(as_bits(size) & 0x7f800000u, 121u << 23) + (20u << 23));
    float rounded = size + step - step;
    u32 code = rounded < 1.0f / 64 ? (u32)(rounded * 512.0f) : (as_bits(rounded) >> 20) - (120u << 3);
    return (u8)(sign | code);
}

// A whole number within bounds, ties to even; no number becomes 0.
DEVICE int whole_number(float value, int bound)
{
    float whole = rounded(value);
    return whole != whole ? 0 : (int)(whole < -bound ? -bound : whole > bound ? bound : whole);
}

#define FOR_TYPE(stream, function, ...)                            \
    switch ((stream).type)                                         \
    {                                                              \
    case FLOAT32: function<FLOAT32>(stream, __VA_ARGS__); break;   \
    case BFLOAT16: function<BFLOAT16>(stream, __VA_ARGS__); break; \
    case FP8: function<FP8>(stream, __VA_ARGS__); break;           \
    case INT8: function<INT8>(stream, __VA_ARGS__); break;         \
    default: function<INT4>(stream, __VA_ARGS__); break;           \
    }
