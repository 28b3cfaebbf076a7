namespace Serving.Devices.Cuda;

/// <summary>What the driver's status codes mean and what to do about them (CUDA driver API, CUresult).</summary>
static class CudaStatus
{
    public const int Success = 0, OutOfMemory = 2, NoDevice = 100, NoBinary = 209, NotFound = 500;

    /// <summary>A call's failure in a sentence or two.</summary>
    public static CudaException Failed(string call, int status, string name) => new($"{call} failed with status {status} ({name}): {Meaning(status)}", status);

    /// <summary>Whether every later call of the process will fail too: the device, or its context, is beyond repair.</summary>
    public static bool IsLost(int status) => status is 4 or 214 or 220 or 226 or 700 or 702 or 709 or 710 or (>= 714 and <= 719) or 721 or 999;

    static string Meaning(int status) => status switch
    {
        1 => "an argument is not valid; this is a mistake of the program.",
        OutOfMemory => "the device is out of memory. Give the cache less (--kv-cache-memory-bytes), or take a device with more.",
        3 => "the driver is not initialised; the process must be restarted.",
        4 => "the driver is shutting down; the process must be restarted.",
        34 => "the driver is a stub that was made for linking. Remove it from the libraries' path and install NVIDIA's driver.",
        46 => "the device is busy or was taken exclusively by another process. Take another one (--device cuda:N), or end that process.",
        NoDevice => "there is no CUDA device. Is one visible (nvidia-smi, CUDA_VISIBLE_DEVICES, the container's --gpus)?",
        101 => "there is no device of that number.",
        200 or NoBinary => "the compiled kernels do not fit this device. Another NVRTC (SERVING_CUDA_COMPILER names one) or a newer driver may help.",
        201 => "no context of the device is current on this thread; this is a mistake of the program.",
        214 => "the device's memory has an error that it could not mend. Restart the program; if it happens again, the device is broken.",
        218 or 222 => "the driver cannot compile the kernels' PTX; a newer driver can.",
        NotFound => "a kernel is missing from the compiled ones.",
        700 or 716 => "a kernel touched memory that is not its own; this is a mistake of the program. The process must be restarted.",
        701 => "a kernel asks for more registers or shared memory than the device has.",
        702 => "a kernel ran for longer than the system allows on a device that drives a display. Take another one (--device cuda:N).",
        220 or 226 or 709 or 710 or (>= 714 and <= 718) or 721 => "the device has failed. The process must be restarted; the system's log (dmesg, Xid) may say why.",
        719 => "a kernel failed on the device. The process must be restarted.",
        803 or 804 => "the driver and the system's kernel module, or the device, do not fit together. Install the driver anew or reboot.",
        999 => "the device has disappeared or the driver failed inside. The process must be restarted; the system's log (dmesg, Xid) may say why.",
        _ => "see the CUDA driver's manual, CUresult.",
    };
}
