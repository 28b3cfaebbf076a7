// What every product with a stored matrix is told.
#pragma once
#include "weights.cuh"

struct ProductArguments
{
    Weights weights;
    Tensor source, bias, destination;
    const int* experts; // the matrix of each row of the destination, or null: then each vector has its own
    int sharing;        // rows of the destination that read one row of the source
};
