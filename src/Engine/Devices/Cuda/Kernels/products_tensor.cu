// Products with stored matrices on tensor cores: weights whose codes are bfloat16 values, exactly, times inputs that are sums of bfloat16
// terms, three of which are all of a float32.
#include "products.cuh"
#include "tensor.cuh"

// A block makes sixteen outputs. Its warps share the inputs, 32 of them at a time in turn; their sums are added in the order of the warps.
constexpr int PARTS = 8, CHUNK = 32, OUTPUTS = 16;

DEVICE u32 pair_of(u16 low, u16 high) { return low | (u32)high << 16; }

// Eight codes of a row from `first` on as bfloat16, zeros past its end, and the factor of their block.
template <int TYPE> DEVICE void load_codes(const Weights& weights, const u8* row, int first, u32 (&codes)[4], float& scale)
{
    scale = 1;
    codes[0] = codes[1] = codes[2] = codes[3] = 0;
    if (row == nullptr || first >= weights.inputs) return;
    if (TYPE == BF16 && weights.inputs % 8 == 0)
    {
        Quad quad = ((const Quad*)row)[first / 8];
        codes[0] = quad.x; codes[1] = quad.y; codes[2] = quad.z; codes[3] = quad.w;
        return;
    }
    float values[8];
    if (TYPE == BF16) widen8<TYPE>(weights, row, first, values);
    else scale = codes8<TYPE>(row, first, values);
    UNROLL
    for (int i = 0; i < 4; i++) codes[i] = pair_of(float_to_bfloat(values[2 * i]), float_to_bfloat(values[2 * i + 1]));
}

// Eight inputs of a row from `first` on, zeros past its end.
DEVICE void load_inputs(const float* row, int first, int inputs, float (&values)[8])
{
    if (row != nullptr && first + 8 <= inputs && ((u64)row & 15) == 0)
    {
        Vec4 low = *(const Vec4*)(row + first), high = *(const Vec4*)(row + first + 4);
        values[0] = low.x; values[1] = low.y; values[2] = low.z; values[3] = low.w;
        values[4] = high.x; values[5] = high.y; values[6] = high.z; values[7] = high.w;
        return;
    }
    UNROLL
    for (int i = 0; i < 8; i++) values[i] = row != nullptr && first + i < inputs ? row[first + i] : 0.0f;
}

// TILES tiles of eight rows. Both operands take their inputs in one order of their own: a lane's eight neighbours are the places that it has
// in two steps of the tensor core. A column of a tile is its row's alone, whatever stands in the others.
template <int TYPE, int TERMS, int TILES> DEVICE void product(const ProductArguments& a)
{
    __shared__ float parts[PARTS][WARP][4];
    int firstRow = blockIdx.x * (a.experts ? 1 : 8 * TILES), head = blockIdx.z, outputs = a.weights.outputs;
    int rows = a.experts ? 1 : least(8 * TILES, a.destination.rows - firstRow);
    int matrix = a.experts ? a.experts[firstRow] : head;
    bool known = matrix < a.weights.stack;
    int mine = lane() / 4, place = lane() % 4 * 8, output = blockIdx.y * OUTPUTS + mine;
    const u8* above = known && output < outputs ? a.weights.row(matrix, output) : nullptr;
    const u8* below = known && output + 8 < outputs ? a.weights.row(matrix, output + 8) : nullptr;

    float sums[TILES][4];
    UNROLL
    for (int tile = 0; tile < TILES; tile++)
    {
        UNROLL
        for (int i = 0; i < 4; i++) sums[tile][i] = 0;
    }
    for (int chunk = warp() * CHUNK; known && chunk < a.weights.inputs; chunk += PARTS * CHUNK)
    {
        int first = chunk + place;
        u32 high[4], low[4];
        float highScale, lowScale;
        load_codes<TYPE>(a.weights, above, first, high, highScale);
        load_codes<TYPE>(a.weights, below, first, low, lowScale);
        u32 even[4] = { high[0], low[0], high[1], low[1] }, odd[4] = { high[2], low[2], high[3], low[3] };
        UNROLL
        for (int tile = 0; tile < TILES; tile++)
        {
            if (tile * 8 >= rows) continue;
            int row = tile * 8 + mine;
            float x[8], block[4] = { 0, 0, 0, 0 };
            load_inputs(row < rows ? a.source.vector((firstRow + row) / a.sharing, head) : nullptr, first, a.weights.inputs, x);
            float (&into)[4] = TYPE == BF16 ? sums[tile] : block;
            UNROLL
            for (int term = 0; term < TERMS; term++)
            {
                u32 terms[4];
                UNROLL
                for (int i = 0; i < 4; i++)
                {
                    u16 left = take_term(x[2 * i]);
                    terms[i] = pair_of(left, take_term(x[2 * i + 1]));
                }
                multiply_add(into, even, terms[0], terms[1]);
                multiply_add(into, odd, terms[2], terms[3]);
            }
            if (TYPE == BF16) continue;
            sums[tile][0] = fused(highScale, block[0], sums[tile][0]);
            sums[tile][1] = fused(highScale, block[1], sums[tile][1]);
            sums[tile][2] = fused(lowScale, block[2], sums[tile][2]);
            sums[tile][3] = fused(lowScale, block[3], sums[tile][3]);
        }
    }

    UNROLL
    for (int tile = 0; tile < TILES; tile++)
    {
        if (tile * 8 >= rows) continue;
        __syncthreads();
        UNROLL
        for (int i = 0; i < 4; i++) parts[warp()][lane()][i] = sums[tile][i];
        __syncthreads();
        // Thread l holds value l % 4 of lane l / 4 of the tile.
        int from = (int)threadIdx.x / 4, i = threadIdx.x % 4;
        int to = blockIdx.y * OUTPUTS + from / 4 + i / 2 * 8, row = tile * 8 + from % 4 * 2 + i % 2;
        if ((int)threadIdx.x >= 4 * WARP || to >= outputs || row >= rows) continue;
        float sum = 0;
        for (int part = 0; part < PARTS; part++) sum += parts[part][from][i];
        if (known && !a.bias.empty()) sum += a.bias.at(a.experts ? matrix : 0, to);
        a.destination.at(firstRow + row, head * outputs + to) = sum;
    }
}

#define PRODUCT(name, type)                                                                     \
    KERNEL(tensor_exact_few_##name, ProductArguments, a, 256) { product<type, 3, 1>(a); }       \
    KERNEL(tensor_exact_many_##name, ProductArguments, a, 256) { product<type, 3, 4>(a); }      \
    KERNEL(tensor_rounded_few_##name, ProductArguments, a, 256) { product<type, 1, 1>(a); }     \
    KERNEL(tensor_rounded_many_##name, ProductArguments, a, 256) { product<type, 1, 4>(a); }

PRODUCT(bf16, BF16)
PRODUCT(q8_0, Q8_0)
PRODUCT(q4_0, Q4_0)
PRODUCT(q5_0, Q5_0)
PRODUCT(mxfp4, MXFP4)
PRODUCT(f8_e4m3, F8_E4M3)
