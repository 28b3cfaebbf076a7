// The calls of NVRTC that the product makes. The kernels are in this library already, so an image only names their source file.
#include "faults.h"
#include <cstring>
#include <string>

typedef int Status;
enum : Status { SUCCESS = 0, COMPILATION = 6 };
struct Program { std::string name, source, log, image; };

#define CALL extern "C" __attribute__((visibility("default"))) Status

CALL nvrtcVersion(int* major, int* minor) { *major = 12; *minor = 4; return SUCCESS; }

CALL nvrtcCreateProgram(Program** program, const char* source, const char* name, int, const char* const*, const char* const*)
{
    *program = new Program{ name, source, "", "" };
    return SUCCESS;
}

CALL nvrtcCompileProgram(Program* program, int, const char* const*)
{
    if (Status refused = emulator::refused(__func__))
    {
        program->log = program->name + "(7): error: refused as a test asked";
        return refused;
    }
    if (program->source.find("KERNEL(") == std::string::npos)
    {
        program->log = program->name + "(1): error: no kernel stands in this source";
        return COMPILATION;
    }
    program->image = "emulated " + program->name;
    return SUCCESS;
}

CALL nvrtcGetCUBINSize(Program* program, size_t* bytes) { *bytes = program->image.size() + 1; return SUCCESS; }
CALL nvrtcGetCUBIN(Program* program, char* image) { memcpy(image, program->image.c_str(), program->image.size() + 1); return SUCCESS; }
CALL nvrtcGetProgramLogSize(Program* program, size_t* bytes) { *bytes = program->log.size() + 1; return SUCCESS; }
CALL nvrtcGetProgramLog(Program* program, char* log) { memcpy(log, program->log.c_str(), program->log.size() + 1); return SUCCESS; }
CALL nvrtcDestroyProgram(Program** program) { delete *program; return SUCCESS; }
