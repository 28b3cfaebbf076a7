// The calls of libcuda that the product makes, over host memory. Work of a stream waits until somebody must see it: a host buffer that is
// used again too early, or a result that is read too early, shows.
#include "../../../../../src/Engine/Devices/Cuda/Kernels/common.cuh"
#include "faults.h"
#include "threads.h"
#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

typedef int Status;
enum : Status
{
    SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_IMAGE = 200, INVALID_CONTEXT = 201,
    INVALID_HANDLE = 400, NOT_FOUND = 500, LAUNCH_FAILED = 719, NOT_WHILE_CAPTURING = 900, CAPTURE_BROKEN = 901,
};

typedef std::function<Status()> Work;
// Work as it was given, arguments and addresses included.
struct Graph { std::vector<Work> work; };
struct Stream { std::deque<Work> work; Graph* capture; bool broken; std::thread::id capturer; };
struct Event { Stream* stream; bool passed; };
struct Module { std::string source; };

// The devices that there are: one as it should be, one with little memory, one that is too old, one that fails at its first launch.
struct Device
{
    const char* name;
    int major, minor;
    size_t memory;
    bool fails;
    size_t taken;
    Status fault; // stays until the process ends, as on a device
    std::vector<Stream*> streams;
};

struct Block { size_t bytes; Device* device; };

// What a test asked for: from some call of a name on, or of any name ("*"), each one ends with a status.
struct Fault { Status status; long spared; };

namespace
{
    const size_t GUARD = 256;
    Device devices[] = {
        { "emulated on the host", 8, 0, (size_t)8 << 30, false },
        { "emulated, small", 8, 0, (size_t)16 << 20, false },
        { "emulated, old", 7, 5, (size_t)1 << 30, false },
        { "emulated, broken", 8, 0, (size_t)1 << 30, true },
    };
    const int DEVICES = sizeof(devices) / sizeof(Device);
    std::recursive_mutex one_at_a_time;
    std::map<char*, Block> memory;
    emulator::Kernel* kernels;
    thread_local Device* current;
    std::map<std::string, Fault> faults;
    std::map<char*, size_t> pinned;
    long pinned_bytes, most_pinned, pageable_copies, largest_copy, driver_version = 12040;
    std::map<std::string, long> calls;
    std::set<Graph*> ready;

    Status run(Stream* stream)
    {
        while (current->fault == SUCCESS && !stream->work.empty())
        {
            auto work = std::move(stream->work.front());
            stream->work.pop_front();
            current->fault = work();
        }
        return current->fault;
    }

    Status run_all()
    {
        for (Stream* stream : current->streams) run(stream);
        return current->fault;
    }

    // A stream that captures cannot be waited for, and its thread cannot take or give memory; other threads can, in the mode that is used.
    Status breaks(Stream* stream)
    {
        if (stream->capture == nullptr) return SUCCESS;
        stream->broken = true;
        return NOT_WHILE_CAPTURING;
    }

    Status breaks()
    {
        for (Stream* stream : current->streams)
            if (stream->capturer == std::this_thread::get_id())
                if (Status status = breaks(stream)) return status;
        return SUCCESS;
    }

    Status later(Stream* stream, Work work)
    {
        if (stream == nullptr) return INVALID_VALUE;
        if (stream->capture != nullptr)
        {
            stream->capture->work.push_back(std::move(work));
            return SUCCESS;
        }
        stream->work.push_back(std::move(work));
        return current->fault;
    }

    // Whether bytes lie in one block of the device's memory.
    bool is_device(const void* at, size_t bytes)
    {
        auto next = memory.upper_bound((char*)at);
        if (next == memory.begin()) return false;
        --next;
        return (char*)at + bytes <= next->first + next->second.bytes;
    }

    bool is_whole(char* block, size_t bytes)
    {
        for (size_t i = 0; i < GUARD; i++)
            if ((unsigned char)block[-1 - (long)i] != 0xa5 || (unsigned char)block[bytes + i] != 0xa5) return false;
        return true;
    }

    std::string file_of(const char* path)
    {
        std::string name(path);
        return name.substr(name.find_last_of('/') + 1);
    }
}

Status emulator::refused(const char* call)
{
    std::lock_guard<std::recursive_mutex> alone(one_at_a_time);
    for (const char* name : { call, "*" })
        if (auto fault = faults.find(name); fault != faults.end() && fault->second.spared-- <= 0) return fault->second.status;
    return SUCCESS;
}

emulator::Registered::Registered(const char* source, const char* name, Body body, unsigned argument_bytes, int most_threads)
    : Kernel{ source, name, body, argument_bytes, most_threads, kernels }
{
    kernels = this;
}

#define CALL extern "C" __attribute__((visibility("default"))) Status
#define ENTER std::lock_guard<std::recursive_mutex> alone(one_at_a_time)
#define MAY_FAIL if (Status refused = emulator::refused(__func__)) return refused
#define NEEDS_CONTEXT ENTER; calls[__func__]++; if (current == nullptr) return INVALID_CONTEXT; MAY_FAIL

// What tests ask of this driver beside what a driver is for; each copy of the library has faults and figures of its own.
CALL emulator_fail(const char* call, Status status, long spared) { ENTER; faults[call] = { status, spared }; return SUCCESS; }
CALL emulator_version(int version) { driver_version = version; return SUCCESS; }

extern "C" __attribute__((visibility("default"))) long emulator_figure(const char* name)
{
    ENTER;
    std::string wanted(name);
    if (wanted.starts_with("cu")) return calls[wanted];
    return wanted == "most pinned bytes" ? most_pinned : wanted == "pinned bytes" ? pinned_bytes
        : wanted == "pageable copies" ? pageable_copies : wanted == "largest copy" ? largest_copy : -1;
}

CALL cuInit(unsigned) { MAY_FAIL; return SUCCESS; }
CALL cuDriverGetVersion(int* version) { *version = (int)driver_version; return SUCCESS; }
CALL cuDeviceGetCount(int* count) { MAY_FAIL; *count = DEVICES; return SUCCESS; }
CALL cuDeviceGet(int* device, int ordinal) { *device = ordinal; return ordinal >= 0 && ordinal < DEVICES ? SUCCESS : INVALID_DEVICE; }
CALL cuDeviceGetName(char* name, int length, int device) { snprintf(name, length, "%s", devices[device].name); return SUCCESS; }

CALL cuDeviceGetAttribute(int* value, int attribute, int device)
{
    switch (attribute)
    {
        case 16: *value = 4; return SUCCESS;           // multiprocessors
        case 75: *value = devices[device].major; return SUCCESS;
        case 76: *value = devices[device].minor; return SUCCESS;
        case 97: *value = 227 << 10; return SUCCESS;   // shared memory of a block by request
        default: *value = 0; return INVALID_VALUE;
    }
}

CALL cuDevicePrimaryCtxRetain(void** context, int device) { MAY_FAIL; *context = &devices[device]; return SUCCESS; }
CALL cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
CALL cuCtxSetCurrent(Device* context) { current = context; return SUCCESS; }

CALL cuMemGetInfo_v2(size_t* free_bytes, size_t* total)
{
    NEEDS_CONTEXT;
    *total = current->memory;
    *free_bytes = current->memory - current->taken;
    return SUCCESS;
}

CALL cuMemAlloc_v2(u64* address, size_t bytes)
{
    NEEDS_CONTEXT;
    if (bytes == 0) return INVALID_VALUE;
    if (Status status = breaks()) return status;
    if (bytes > current->memory - current->taken) return OUT_OF_MEMORY;
    size_t whole = (bytes + 2 * GUARD + 255) / 256 * 256;
    char* block = (char*)aligned_alloc(256, whole) + GUARD;
    memset(block - GUARD, 0xa5, whole);
    memset(block, 0xff, bytes);
    memory[block] = { bytes, current };
    current->taken += bytes;
    *address = (u64)block;
    return SUCCESS;
}

CALL cuMemFree_v2(u64 address)
{
    NEEDS_CONTEXT;
    if (Status status = breaks()) return status;
    run_all();
    auto found = memory.find((char*)address);
    if (found == memory.end()) return INVALID_VALUE;
    auto [block, given] = *found;
    if (!is_whole(block, given.bytes))
    {
        fprintf(stderr, "emulated driver: something was written beside a block of %zu bytes\n", given.bytes);
        return given.device->fault = LAUNCH_FAILED;
    }
    given.device->taken -= given.bytes;
    memory.erase(found);
    free(block - GUARD);
    return current->fault;
}

CALL cuMemHostAlloc(void** address, size_t bytes, unsigned)
{
    NEEDS_CONTEXT;
    *address = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    pinned[(char*)*address] = bytes;
    most_pinned = std::max(most_pinned, pinned_bytes += (long)bytes);
    return SUCCESS;
}

CALL cuMemFreeHost(void* address)
{
    NEEDS_CONTEXT;
    run_all();
    auto found = pinned.find((char*)address);
    if (found == pinned.end()) return INVALID_VALUE;
    pinned_bytes -= (long)found->second;
    pinned.erase(found);
    free(address);
    return current->fault;
}

static bool is_pinned(const void* at, size_t bytes)
{
    auto next = pinned.upper_bound((char*)at);
    if (next == pinned.begin()) return false;
    --next;
    return (char*)at + bytes <= next->first + next->second;
}

static Status copy(Stream* stream, void* to, const void* from, size_t bytes, bool to_device, bool from_device)
{
    if ((to_device && !is_device(to, bytes)) || (from_device && !is_device(from, bytes))) return INVALID_VALUE;
    return later(stream, [=] { memmove(to, from, bytes); return SUCCESS; });
}

CALL cuMemcpyHtoDAsync_v2(u64 to, const void* from, size_t bytes, Stream* stream)
{
    NEEDS_CONTEXT;
    largest_copy = std::max(largest_copy, (long)bytes);
    if (!is_pinned(from, bytes)) pageable_copies++;
    return copy(stream, (void*)to, from, bytes, true, false);
}

CALL cuMemcpyDtoHAsync_v2(void* to, u64 from, size_t bytes, Stream* stream) { NEEDS_CONTEXT; return copy(stream, to, (void*)from, bytes, false, true); }
CALL cuMemcpyDtoDAsync_v2(u64 to, u64 from, size_t bytes, Stream* stream) { NEEDS_CONTEXT; return copy(stream, (void*)to, (void*)from, bytes, true, true); }

CALL cuMemsetD8Async(u64 at, unsigned char value, size_t bytes, Stream* stream)
{
    NEEDS_CONTEXT;
    if (!is_device((void*)at, bytes)) return INVALID_VALUE;
    return later(stream, [=] { memset((void*)at, value, bytes); return SUCCESS; });
}

CALL cuStreamCreate(Stream** stream, unsigned) { NEEDS_CONTEXT; current->streams.push_back(*stream = new Stream()); return SUCCESS; }

CALL cuStreamSynchronize(Stream* stream)
{
    NEEDS_CONTEXT;
    if (Status status = breaks(stream)) return status;
    return run(stream);
}

CALL cuStreamDestroy_v2(Stream* stream)
{
    NEEDS_CONTEXT;
    run(stream);
    std::erase(current->streams, stream);
    delete stream;
    return current->fault;
}

CALL cuEventCreate(Event** event, unsigned) { NEEDS_CONTEXT; *event = new Event{ nullptr, true }; return SUCCESS; }
CALL cuEventDestroy_v2(Event* event) { NEEDS_CONTEXT; run_all(); delete event; return current->fault; }

CALL cuEventRecord(Event* event, Stream* stream)
{
    NEEDS_CONTEXT;
    *event = { stream, false };
    return later(stream, [=] { event->passed = true; return SUCCESS; });
}

CALL cuEventSynchronize(Event* event)
{
    NEEDS_CONTEXT;
    while (current->fault == SUCCESS && !event->passed)
    {
        auto work = std::move(event->stream->work.front());
        event->stream->work.pop_front();
        current->fault = work();
    }
    return current->fault;
}

// An image is what the emulated compiler made: the name of the source file whose kernels it stands for.
CALL cuModuleLoadDataEx(Module** module, const void* image, unsigned, void*, void*)
{
    NEEDS_CONTEXT;
    const char* mark = "emulated ";
    if (strncmp((const char*)image, mark, strlen(mark)) != 0) return INVALID_IMAGE;
    *module = new Module{ std::string((const char*)image + strlen(mark)) };
    return SUCCESS;
}

CALL cuModuleUnload(Module* module) { NEEDS_CONTEXT; delete module; return SUCCESS; }

CALL cuModuleGetFunction(emulator::Kernel** function, Module* module, const char* name)
{
    NEEDS_CONTEXT;
    for (emulator::Kernel* kernel = kernels; kernel; kernel = kernel->next)
        if (module->source == file_of(kernel->source) && strcmp(kernel->name, name) == 0)
        {
            *function = kernel;
            return SUCCESS;
        }
    return NOT_FOUND;
}

CALL cuFuncSetAttribute(emulator::Kernel*, int, int) { return SUCCESS; }

// The arguments are one structure, which the call takes a copy of.
CALL cuLaunchKernel(emulator::Kernel* kernel, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threads_y, unsigned threads_z,
    unsigned shared_bytes, Stream* stream, void** parameters, void**)
{
    NEEDS_CONTEXT;
    if (x == 0 || y == 0 || z == 0 || y > 65535 || z > 65535 || threads == 0 || threads > 1024 || threads_y != 1 || threads_z != 1) return INVALID_VALUE;
    std::vector<unsigned char> arguments(kernel->argument_bytes);
    memcpy(arguments.data(), parameters[0], arguments.size());
    return later(stream, [=]() -> Status
    {
        if (current->fails) return LAUNCH_FAILED;
        const char* wrong = emulator::run(*kernel, { x, y, z }, (int)threads, shared_bytes, arguments.data());
        if (wrong) fprintf(stderr, "emulated driver: %s: %s\n", kernel->name, wrong);
        return wrong ? LAUNCH_FAILED : SUCCESS;
    });
}

CALL cuStreamBeginCapture_v2(Stream* stream, int mode)
{
    const int OF_THIS_THREAD = 1;
    NEEDS_CONTEXT;
    if (mode != OF_THIS_THREAD) return INVALID_VALUE;
    if (Status status = breaks(stream)) return status;
    (stream->capture = new Graph(), stream->broken = false, stream->capturer = std::this_thread::get_id());
    return current->fault;
}

// However it ends, the stream captures no more.
CALL cuStreamEndCapture(Stream* stream, Graph** graph)
{
    ENTER;
    calls[__func__]++;
    if (stream->capture == nullptr) return INVALID_VALUE;
    Status status = stream->broken ? CAPTURE_BROKEN : emulator::refused(__func__);
    *graph = status == SUCCESS ? stream->capture : nullptr;
    if (status != SUCCESS) delete stream->capture;
    stream->capture = nullptr;
    return status;
}

CALL cuGraphInstantiateWithFlags(Graph** instance, Graph* graph, u64)
{
    NEEDS_CONTEXT;
    ready.insert(*instance = new Graph(*graph));
    return SUCCESS;
}

CALL cuGraphDestroy(Graph* graph) { NEEDS_CONTEXT; delete graph; return SUCCESS; }

CALL cuGraphLaunch(Graph* graph, Stream* stream)
{
    NEEDS_CONTEXT;
    if (ready.count(graph) == 0) return INVALID_HANDLE;
    for (const Work& work : graph->work)
        if (Status status = later(stream, work)) return status;
    return SUCCESS;
}

CALL cuGraphExecDestroy(Graph* graph)
{
    NEEDS_CONTEXT;
    if (ready.erase(graph) == 0) return INVALID_HANDLE;
    delete graph;
    return SUCCESS;
}

CALL cuGetErrorName(Status status, const char** name)
{
    *name = status == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : status == LAUNCH_FAILED ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR";
    return SUCCESS;
}
