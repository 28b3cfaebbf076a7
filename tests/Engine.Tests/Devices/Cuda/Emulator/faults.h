#pragma once

namespace emulator
{
    // The status that a test asked of a call's name, or 0.
    int refused(const char* call);
}
