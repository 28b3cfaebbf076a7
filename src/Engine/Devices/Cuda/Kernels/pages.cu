// Rows on their way into pages.
#include "rows.cuh"

struct WriteRowsArguments
{
    Tensor source;
    Stream stream;
    const int* positions; // of each row
    const int* tables;    // where each row's page table begins
    const int* pages;
};

// A warp stores a vector. Scales first: a byte of two values may lie in two groups.
DEVICE void store(const Stream& stream, const float* source, const Vector& vector)
{
    int type = stream.type, width = stream.width;
    if (type == FLOAT32)
    {
        for (int i = lane(); i < width; i += WARP) ((float*)vector.values)[i] = source[i];
        return;
    }
    if (type == BFLOAT16)
    {
        for (int i = lane(); i < width; i += WARP) ((u16*)vector.values)[i] = float_to_bfloat(source[i]);
        return;
    }
    u16* scales = (u16*)vector.scales;
    for (int group = 0; group < stream.scales; group++)
    {
        int end = least(width, (group + 1) * stream.groupWidth), most = 0;
        for (int i = group * stream.groupWidth + lane(); i < end; i += WARP) most = greatest(most, (int)(as_bits(source[i]) & 0x7fffffffu));
        most = warp_max(most);
        if (lane() == 0) scales[group] = scale_of(type, most);
    }
    __syncwarp();
    for (int at = lane(); at < stream.valueBytes; at += WARP)
    {
        int per = type == INT4 ? 2 : 1, code = 0;
        for (int i = at * per; i < (at + 1) * per && i < width; i++)
        {
            u16 bits = scales[i / stream.groupWidth];
            float scale = type == INT4 ? half_to_float(bits) : bfloat_to_float(bits);
            float value = scale > 0 ? source[i] / scale : 0;
            if (type == FP8) code = float_to_e4m3(value);
            else if (type == INT8) code = whole_number(value, 127);
            else code |= (whole_number(value, 7) & 15) << (i % 2 * 4);
        }
        vector.values[at] = (u8)code;
    }
}

// Where tokens share rows, each leaves the row as it is behind it, and the last of them closes it.
KERNEL(write_rows, WriteRowsArguments, a, 128)
{
    const Stream& stream = a.stream;
    int index = blockIdx.x * (blockDim.x / WARP) + warp(), row = index / stream.groups, group = index % stream.groups;
    if (row >= a.source.rows) return;
    int position = a.positions[row];
    const float* source = a.source.vector(row, group);
    if (stream.stride > 1) store(stream, source, open_vector(stream, row, group));
    if ((position + 1) % stream.stride != 0) return;
    int place = position / stream.stride;
    int page = a.pages[a.tables[row] + place / stream.rowsPerPage];
    store(stream, source, vector_in_page(stream, page, group, place % stream.rowsPerPage));
}
