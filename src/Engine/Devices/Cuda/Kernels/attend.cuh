// What the kernels of attention have in common: work as the host cuts it, and states of queries between spans of rows.
#pragma once
#include "rows.cuh"

constexpr int SPAN = 512, TILE = 64;

// Below every score that a model makes; a difference of two such is 0, not "no number".
#define LEAST -1e38f

// Neighbouring tokens of a run times neighbouring heads of a group, tokens outermost: queries that read the same rows.
struct Unit
{
    int row, rows;     // of the step
    int position;      // of the first token
    int group;         // that is read
    int head, heads;
    int table;         // where the run's page table begins
    int first, last;   // the first and the last row in a page that any token sees; last < first where there is none
};

// Spans `from` up to `to` of a unit; the span behind the last one is the rows that tokens have left open.
struct Item
{
    int unit, from, to;
    int slot;      // of the state; -1 for the block's own
    int joins;     // whether the slot holds the state of the spans before
    int finishes;  // whether nothing is to come
};

struct AttendArguments
{
    Tensor main, rotary, destination, sinks, angles;
    Stream mainRows, rotaryRows, valueRows, sharedRows, classRows;
    const int* pages;
    const Unit* units;
    const Item* items; // the first is not one: its first number is how many follow
    float* states;
    int own; // the first slot that belongs to a block
    int mainWidth, rotaryWidth, valueWidth, sharedWidth, valueInMain, interleaved, classes;
    // On tensor cores: bfloat16 that make a query, a weight and a value of a widened row, and whether rows are widened.
    int queryTerms, weightTerms, rowTerms, widens;
    int window, chunk;
    float scale, softcap;

    DEVICE int outputWidth() const { return valueWidth + sharedWidth; }

    // PagedRows.FirstRow and LastRow.
    DEVICE int first_row(int position) const
    {
        int stride = mainRows.stride, index = position / stride;
        int first = window > 0 ? index - window / stride + 1 : 0;
        if (chunk > 0) first = greatest(first, position / chunk * chunk / stride);
        return greatest(first, 0);
    }
    DEVICE int last_row(int position) const { return mainRows.stride == 1 ? position : position / mainRows.stride - 1; }
};

// What is known of a query after some spans: its greatest score, the sum of weights relative to it, and weighted values.
// A slot holds as many queries as a unit may have: all greatest scores, all sums, then values.
struct QueryState
{
    float* greatest;
    float* sum;
    float* values;
};

DEVICE i64 slot_floats(int queries, int outputWidth) { return (i64)queries * (outputWidth + 2); }

DEVICE QueryState state_in(float* states, i64 slot, int queries, int query, int outputWidth)
{
    float* start = states + slot * slot_floats(queries, outputWidth);
    return {start + query, start + queries + query, start + 2 * queries + (i64)query * outputWidth};
}

// Factors on two neighbouring states that become one.
struct Fold
{
    float greatest, mine, its;
    DEVICE Fold(float whole, float next)
    {
        greatest = ::greatest(whole, next);
        mine = exponential(whole - greatest);
        its = exponential(next - greatest);
    }
    DEVICE float of(float whole, float next) const { return fused(whole, mine, next * its); }
};

// What the values of a finished state are multiplied by. A sink takes weight and gives no value.
DEVICE float last_factor(const Tensor& sinks, int head, float most, float sum)
{
    if (sinks.empty()) return 1.0f / sum;
    float sink = sinks.at(0, head), all = greatest(most, sink), factor = exponential(most - all);
    return factor / (sum * factor + exponential(sink - all));
}
