#pragma once
#include <cstddef>

namespace emulator
{
    // Runs all blocks of a launch; what went wrong, or null.
    const char* run(const Kernel& kernel, const unsigned (&grid)[3], int block_threads, size_t shared_bytes, const void* arguments);
}
