using System.Globalization;
using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Server.Commands;

/// <summary>From the setting of a device to the device.</summary>
/// <param name="Device">The device.</param>
/// <param name="Notice">What its user should know, such as why it is not a GPU; null for nothing.</param>
readonly record struct DeviceChoice(IDevice Device, string? Notice = null)
{
    const string Gpu = "cuda";

    /// <summary>What the setting may be, for people.</summary>
    public const string Expected = "auto, cpu, cuda, cuda:N or reference";

    /// <summary>A device's name as the setting has it; null where it is none.</summary>
    public static string? Named(string text)
    {
        text = text.ToLowerInvariant();
        return text is "auto" or "cpu" or Gpu or "reference" || Ordinal(text) is not null ? text : null;
    }

    /// <summary>
    /// The device of the settings. auto is the first GPU where one can be used and the CPU where none can, which it says; cuda:N is the GPU of that
    /// number or a <see cref="SettingException"/>.
    /// </summary>
    /// <param name="settings">The settings.</param>
    /// <param name="driver">How a GPU is reached; by default as the environment says.</param>
    public static DeviceChoice Of(EngineSettings settings, CudaOptions? driver = null)
    {
        driver = (driver ?? CudaOptions.FromEnvironment()) with { Activations = ActivationsOf(settings), Graphs = !settings.IsEager };
        switch (settings.Device)
        {
            case "cpu": return new(Cpu(settings));
            case "reference": return new(new ReferenceDevice());
            case "auto":
                try
                {
                    return new(Tried(new(driver)));
                }
                catch (CudaException error)
                {
                    return new(Cpu(settings), Reason(error));
                }
            default:
                try
                {
                    return new(Tried(new(driver with { Ordinal = Ordinal(settings.Device) ?? 0 })));
                }
                catch (CudaException error)
                {
                    throw new SettingException($"--device {settings.Device} cannot be used: {error.Message} With --device cpu the CPU serves.");
                }
        }
    }

    /// <summary>The CPU, where the setting leaves the choice and a model cannot be brought to the GPU that was found; null where it does not.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="error">Why it cannot.</param>
    public DeviceChoice? Instead(EngineSettings settings, Exception error) =>
        settings.Device == "auto" && Device is CudaDevice ? new(Cpu(settings), Reason(error)) : null;

    static string Reason(Exception error) => $"The CPU serves, no GPU: {error.Message}";

    // A driver and a compiler that nobody has seen together must not answer wrongly in silence.
    static CudaDevice Tried(CudaDevice device)
    {
        try
        {
            using var oracle = new ReferenceDevice();
            if (DeviceTrial.Difference(device, oracle) is > DeviceTrial.Tolerance and var difference)
                throw new CudaException($"{device.Description} computes wrong numbers: a trial's result is off by {difference:P0} of its greatest value. Another driver may help.");
            if (DeviceTrial.WrongChoices(device) is > 0 and var wrong)
                throw new CudaException($"{device.Description} chooses wrong tokens: {wrong} of a trial whose answers are known. Another driver may help.");
            return device;
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    static int? Ordinal(string text) =>
        text.StartsWith($"{Gpu}:", StringComparison.Ordinal) && int.TryParse(text.AsSpan(Gpu.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    /// <summary>The CPU device that settings describe, with the kernels that they ask for.</summary>
    public static CpuDevice Cpu(SettingReader read)
    {
        var settings = ServeCommand.EngineFrom(read);
        ModelLoading.ChooseKernels(settings.CpuKernels);
        return Cpu(settings);
    }

    static CpuDevice Cpu(EngineSettings settings) => new(settings.Threads ?? 0, ActivationsOf(settings), settings.PinsThreads);

    static ActivationType ActivationsOf(EngineSettings settings) => (settings.ActivationDtype, settings.Dtype) switch
    {
        ("float32", _) or ("auto", "float32") => ActivationType.Float32,
        // Narrower classes multiply floats faster than pairs of integers.
        ("auto", "auto") when Kernels.Here < KernelClass.Avx512 => ActivationType.Float32,
        ("int8", _) => ActivationType.Int8,
        ("bfloat16", _) or ("auto", "bfloat16") => ActivationType.BFloat16,
        _ => ActivationType.Int16,
    };
}
