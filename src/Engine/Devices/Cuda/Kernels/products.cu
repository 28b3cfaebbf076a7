// Products with stored matrices, and rows of stored tables.
#include "products.cuh"

enum { OUTPUTS = 4, WARPS = 4 };

// A warp makes four outputs of some rows. A lane sums every 32nd group of eight inputs, in order, and the lanes' sums are added in one order:
// a row's result is the same whichever rows stand beside it.
template <int TYPE, int ROWS> DEVICE void product(const ProductArguments& a)
{
    int firstRow = blockIdx.x * ROWS, head = blockIdx.z, outputs = a.weights.outputs, inputs = a.weights.inputs;
    int firstOutput = (blockIdx.y * WARPS + warp()) * OUTPUTS;
    int rows = least(ROWS, a.destination.rows - firstRow), count = least((int)OUTPUTS, outputs - firstOutput);
    if (count <= 0) return;
    int matrix = a.experts ? a.experts[firstRow] : head;
    bool known = matrix < a.weights.stack;

    float sums[OUTPUTS * ROWS];
    UNROLL
    for (int i = 0; i < OUTPUTS * ROWS; i++) sums[i] = 0;
    for (int first = lane() * 8; known && first < inputs; first += WARP * 8)
    {
        float x[ROWS][8];
        UNROLL
        for (int r = 0; r < ROWS; r++)
        {
            if (r >= rows) continue;
            const float* source = a.source.vector((firstRow + r) / a.sharing, head);
            UNROLL
            for (int i = 0; i < 8; i++) x[r][i] = first + i < inputs ? source[first + i] : 0.0f;
        }
        UNROLL
        for (int o = 0; o < OUTPUTS; o++)
        {
            if (o >= count) continue;
            float w[8];
            widen8<TYPE>(a.weights, a.weights.row(matrix, firstOutput + o), first, w);
            UNROLL
            for (int r = 0; r < ROWS; r++)
            {
                if (r >= rows) continue;
                UNROLL
                for (int i = 0; i < 8; i++) sums[o * ROWS + r] = fused(w[i], x[r][i], sums[o * ROWS + r]);
            }
        }
    }
    float sum = warp_sums(sums);
    const int LANES = WARP / (OUTPUTS * ROWS);
    int o = lane() / LANES / ROWS, r = lane() / LANES % ROWS;
    if (lane() % LANES != 0 || o >= count || r >= rows) return;
    if (known && !a.bias.empty()) sum += a.bias.at(a.experts ? matrix : 0, firstOutput + o);
    a.destination.at(firstRow + r, head * outputs + firstOutput + o) = sum;
}

#define PRODUCT(name, type)                                                             \
    KERNEL(product_one_##name, ProductArguments, a, 128) { product<type, 1>(a); }       \
    KERNEL(product_eight_##name, ProductArguments, a, 128) { product<type, 8>(a); }

PRODUCT(f32, F32)
PRODUCT(f16, F16)
PRODUCT(bf16, BF16)
PRODUCT(q8_0, Q8_0)
PRODUCT(q4_0, Q4_0)
PRODUCT(q4_1, Q4_1)
PRODUCT(q5_0, Q5_0)
PRODUCT(q5_1, Q5_1)
PRODUCT(q4_k, Q4_K)
PRODUCT(q5_k, Q5_K)
PRODUCT(q6_k, Q6_K)
PRODUCT(mxfp4, MXFP4)
PRODUCT(f8_e4m3, F8_E4M3)

struct EmbedArguments
{
    Weights table;
    Tensor destination;
    const int* ids;
    float scale;
};

// A thread widens eight values of a row.
KERNEL(embed, EmbedArguments, a, 128)
{
    int first = (blockIdx.y * blockDim.x + threadIdx.x) * 8;
    if (first >= a.table.inputs) return;
    float values[8];
    widen8(a.table, a.table.row(0, a.ids[blockIdx.x]), first, values);
    for (int i = 0; i < 8 && first + i < a.table.inputs; i++) a.destination.at(blockIdx.x, first + i) = values[i] * a.scale;
}
