// Runs a kernel's blocks, their threads as fibres in random order, and finds threads that wait for ones which never come.
#include "../../../../../src/Engine/Devices/Cuda/Kernels/common.cuh"
#include "threads.h"
#include "tensor.h"
#include <algorithm>
#include <random>
#include <vector>

#ifndef __x86_64__
#error "the fibres' switch is written for x86-64"
#endif

Index threadIdx, blockIdx, blockDim, gridDim;

extern "C" void switch_fibre(void** save, void* load);
asm(R"(
.text
.globl switch_fibre
switch_fibre:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
)");

namespace emulator
{
    enum State { READY, AT_BARRIER, DONE };

    const size_t STACK = 128 << 10;
    const size_t MOST_SHARED = 227 << 10;

    // A stack lives longer than the threads that run on it: one that never waited leaves it to the next.
    struct Fibre { void* top; char* stack; };
    struct Thread { State state; Fibre* fibre; };
    struct Warp { int lanes, arrived; unsigned turn; u64 given[2][32]; void* parts[32]; };

    static std::vector<Thread> threads;
    static std::vector<Warp> warps;
    static std::vector<Fibre*> idle;
    static std::vector<int> warp_order, lane_order;
    static std::mt19937 random_order(1);
    static Body body;
    static const void* arguments;
    static void* scheduler;
    static int current;
    static unsigned char* shared;
    static u64 blocks;
    static const char* failure;

    unsigned char* shared_memory() { return shared; }
    int lane_index() { return current % 32; }

    static void leave() { switch_fibre(&threads[current].fibre->top, scheduler); }

    static void run_threads()
    {
        for (;;)
        {
            body(arguments);
            threads[current].state = DONE;
            leave();
        }
    }

    static Fibre* take_fibre()
    {
        if (!idle.empty())
        {
            Fibre* fibre = idle.back();
            idle.pop_back();
            return fibre;
        }
        Fibre* fibre = new Fibre{ nullptr, (char*)aligned_alloc(64, STACK) };
        void** top = (void**)(fibre->stack + STACK - 64);
        *--top = nullptr;
        *--top = (void*)run_threads;
        for (int i = 0; i < 6; i++) *--top = nullptr;
        fibre->top = top;
        return fibre;
    }

    static void resume(int thread)
    {
        Thread& me = threads[thread];
        if (me.fibre == nullptr) me.fibre = take_fibre();
        current = thread;
        threadIdx = { (unsigned)thread, 0, 0 };
        switch_fibre(&scheduler, me.fibre->top);
        if (me.state == DONE)
        {
            idle.push_back(me.fibre);
            me.fibre = nullptr;
        }
    }

    void block_barrier()
    {
        threads[current].state = AT_BARRIER;
        leave();
    }

    u64 exchange(u64 value, int from)
    {
        Warp& mine = warps[current / 32];
        unsigned turn = mine.turn;
        mine.given[turn & 1][current % 32] = value;
        if (++mine.arrived == mine.lanes)
        {
            mine.arrived = 0;
            mine.turn++;
        }
        else
            while (mine.turn == turn) leave();
        return mine.given[turn & 1][from];
    }

    u32 vote(bool value)
    {
        exchange(value, 0);
        Warp& mine = warps[current / 32];
        u32 votes = 0;
        for (int i = 0; i < mine.lanes; i++) votes |= (u32)(mine.given[mine.turn - 1 & 1][i] != 0) << i;
        exchange(0, 0); // nobody gives again before all have read
        return votes;
    }

    void together(void* part, void (*operation)(void* const (&parts)[32], int lanes))
    {
        Warp& mine = warps[current / 32];
        unsigned turn = mine.turn;
        mine.parts[current % 32] = part;
        if (++mine.arrived == mine.lanes)
        {
            operation(mine.parts, mine.lanes);
            mine.arrived = 0;
            mine.turn++;
        }
        else
            while (mine.turn == turn) leave();
    }

    struct Copy { void* to; const void* from; bool here; };

    // A thread's copies: groups that it has ended, then those since.
    struct Copies
    {
        u64 block;
        std::vector<std::vector<Copy>> groups;
    };

    static std::vector<Copies> copies;

    static Copies& copies_of_thread()
    {
        if (copies.size() < threads.size()) copies.resize(threads.size());
        Copies& mine = copies[current];
        if (mine.block != blocks) mine = { blocks, { {} } };
        return mine;
    }

    void begin_copy(void* to, const void* from, bool here)
    {
        memset(to, 0xff, 16);
        copies_of_thread().groups.back().push_back({ to, from, here });
    }

    void end_copies() { copies_of_thread().groups.push_back({}); }

    void wait_for_copies(int last)
    {
        auto& groups = copies_of_thread().groups;
        while ((int)groups.size() - 1 > last)
        {
            for (const Copy& copy : groups.front())
                if (copy.here) memcpy(copy.to, copy.from, 16);
                else memset(copy.to, 0, 16);
            groups.erase(groups.begin());
        }
    }

    void fail(const char* what)
    {
        failure = what;
        for (;;) leave();
    }

    // Runs the ready threads of a warp until each waits for the block or has ended; false where they wait for one another for ever.
    static bool run_warp(int warp)
    {
        Warp& mine = warps[warp];
        std::shuffle(lane_order.begin(), lane_order.end(), random_order);
        for (;;)
        {
            bool waiting = false, moved = false;
            for (int lane : lane_order)
            {
                if (lane >= mine.lanes || threads[warp * 32 + lane].state != READY) continue;
                unsigned turn = mine.turn;
                int arrived = mine.arrived;
                resume(warp * 32 + lane);
                bool ready = threads[warp * 32 + lane].state == READY;
                waiting |= ready;
                moved |= !ready || mine.turn != turn || mine.arrived != arrived;
            }
            if (!waiting) return true;
            if (!moved) return false;
        }
    }

    static const char* run_block()
    {
        for (Thread& thread : threads) thread = { READY, nullptr };
        for (size_t i = 0; i < warps.size(); i++) warps[i] = { (int)std::min<size_t>(32, threads.size() - 32 * i), 0, 0, {}, {} };
        for (;;)
        {
            std::shuffle(warp_order.begin(), warp_order.end(), random_order);
            for (int warp : warp_order)
                if (!run_warp(warp)) return failure != nullptr ? failure : "lanes of a warp wait for others that have ended or wait elsewhere";
            size_t waiting = 0;
            for (Thread& thread : threads) waiting += thread.state == AT_BARRIER;
            if (waiting == 0) return nullptr;
            if (waiting != threads.size()) return "some threads of a block wait at a barrier and others have ended";
            for (Thread& thread : threads) thread.state = READY;
        }
    }

    const char* run(const Kernel& kernel, const unsigned (&grid)[3], int block_threads, size_t shared_bytes, const void* memory)
    {
        if (block_threads > kernel.most_threads) return "a block has more threads than the kernel allows";
        if (shared_bytes > MOST_SHARED) return "a block has more shared memory than there is";
        if (shared == nullptr) shared = (unsigned char*)aligned_alloc(128, MOST_SHARED);
        body = kernel.body;
        arguments = memory;
        threads.assign(block_threads, {});
        warps.assign((block_threads + 31) / 32, {});
        failure = nullptr;
        warp_order.resize(warps.size());
        for (size_t i = 0; i < warps.size(); i++) warp_order[i] = (int)i;
        lane_order.resize(32);
        for (int i = 0; i < 32; i++) lane_order[i] = i;
        blockDim = { (unsigned)block_threads, 1, 1 };
        gridDim = { grid[0], grid[1], grid[2] };
        for (unsigned z = 0; z < grid[2]; z++)
            for (unsigned y = 0; y < grid[1]; y++)
                for (unsigned x = 0; x < grid[0]; x++)
                {
                    blockIdx = { x, y, z };
                    blocks++;
                    memset(shared, 0xff, shared_bytes);
                    if (const char* fault = run_block()) return fault;
                }
        return nullptr;
    }
}
