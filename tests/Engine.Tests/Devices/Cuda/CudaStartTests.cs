using Serving.Devices;

namespace Serving.Tests;

/// <summary>How the CUDA device begins and what it says where it cannot: its driver, its compiler, its kernels, its memory.</summary>
public sealed class CudaStartTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("serving-tests-").FullName;

    CudaOptions Options => CudaEmulator.Options with { CacheFolder = Path.Combine(_folder, "cache"), PtxFolder = Path.Combine(_folder, "ptx") };

    [Fact]
    public void A_machine_without_a_driver_is_told_what_to_install()
    {
        var error = Assert.Throws<CudaException>(() => new CudaDevice(new CudaOptions { Driver = Path.Combine(_folder, "libcuda.so.1") }));
        Assert.Contains("libcuda.so.1", error.Message);
        Assert.Contains("Install", error.Message);
    }

    [Fact]
    public void A_library_that_is_no_driver_is_refused_by_the_call_it_lacks()
    {
        var error = Assert.Throws<CudaException>(() => new CudaDevice(new CudaOptions { Driver = "libc.so.6" }));
        Assert.Contains("cuGetErrorName", error.Message);
    }

    [Fact]
    public void A_device_that_is_not_there_is_refused_with_those_that_are()
    {
        var error = Assert.Throws<CudaException>(() => new CudaDevice(Options with { Ordinal = 9 }));
        Assert.Contains("cuda:9", error.Message);
        Assert.Contains("from cuda:0 to cuda:3", error.Message);
    }

    [Fact]
    public void A_device_that_is_too_old_is_refused_with_its_capability()
    {
        var error = Assert.Throws<CudaException>(() => new CudaDevice(Options with { Ordinal = 2 }));
        Assert.Contains("7.5", error.Message);
        Assert.Contains("8.0", error.Message);
    }

    [Fact]
    public void What_does_not_fit_into_memory_is_refused_with_the_numbers_and_nothing_is_lost()
    {
        using var device = new CudaDevice(Options with { Ordinal = 1 });
        var free = device.FreeBytes;
        var error = Assert.Throws<CudaException>(() => device.Allocate(64 << 20));
        Assert.Contains("67,108,864", error.Message);
        Assert.Contains($"{free:N0} of 16,777,216", error.Message);
        device.Free(device.Allocate(free));
        Assert.Equal(free, device.FreeBytes);
    }

    [Fact]
    public void A_device_that_fails_says_so_at_the_next_read()
    {
        using var device = new CudaDevice(Options with { Ordinal = 3 });
        var tensor = Tensor.Matrix(device.Allocate(64), 1, 16);
        device.Softmax(tensor);
        var error = Assert.Throws<CudaException>(() => device.Read(tensor, new float[16]));
        Assert.Equal(719, error.Status);
        Assert.Contains("restarted", error.Message);
    }

    [Fact]
    public void Kernels_are_kept_and_damaged_ones_are_compiled_anew()
    {
        var cache = Options.CacheFolder!;
        using (var device = new CudaDevice(Options)) Works(device);
        var kept = Directory.GetFiles(cache);
        Assert.NotEmpty(kept);
        var whole = File.ReadAllBytes(kept[0]);

        File.WriteAllBytes(kept[0], whole[..^1]);
        using (var device = new CudaDevice(Options)) Works(device);
        Assert.Equal(whole, File.ReadAllBytes(kept[0]));
        Assert.Equal(kept, Directory.GetFiles(cache));
    }

    [Fact]
    public void A_kept_kernel_that_the_driver_refuses_is_compiled_anew()
    {
        using (new CudaDevice(Options)) { }
        var kept = Assert.Single(Directory.GetFiles(Options.CacheFolder!, "elements-*"));
        var whole = File.ReadAllBytes(kept);
        byte[] other = [1, 2, 3];
        File.WriteAllBytes(kept, [.. System.Security.Cryptography.SHA256.HashData(other), .. other]);
        using (var device = new CudaDevice(Options)) Works(device);
        Assert.Equal(whole, File.ReadAllBytes(kept));
    }

    [Fact]
    public void A_cache_that_cannot_be_written_only_costs_time()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        foreach (var cache in (string?[])[Path.Combine(file, "cache"), null])
        {
            using var device = new CudaDevice(Options with { CacheFolder = cache });
            Works(device);
        }
    }

    [Fact]
    public void Without_a_compiler_the_ptx_beside_the_program_is_loaded()
    {
        var options = Options with { Compiles = false };
        var error = Assert.Throws<CudaException>(() => new CudaDevice(options));
        Assert.Contains(options.PtxFolder, error.Message);
        Assert.Contains("NVRTC", error.Message);

        // The emulated driver takes its images where a device's would take PTX; of two the newest that the device can run is meant.
        Directory.CreateDirectory(options.PtxFolder);
        foreach (var source in Repository.Files(CudaEmulator.Kernels).Where(file => file.EndsWith(".cu", StringComparison.Ordinal)).Select(Path.GetFileName))
        {
            File.WriteAllText(Path.Combine(options.PtxFolder, Path.ChangeExtension(source!, "sm_80.ptx")), $"emulated {source}");
            File.WriteAllText(Path.Combine(options.PtxFolder, Path.ChangeExtension(source!, "sm_90.ptx")), "not for this device");
        }
        using var device = new CudaDevice(options);
        Assert.Contains("PTX", device.Description);
        Works(device);
    }

    [Fact]
    public void What_the_device_reaches_is_measured()
    {
        using var device = new CudaDevice(Options with { Ordinal = 1 });
        var free = device.FreeBytes;
        var (bytes, flops) = device.Measure();
        Assert.True(bytes > 0 && double.IsFinite(bytes), $"{bytes} bytes/s");
        Assert.True(flops > 0 && double.IsFinite(flops), $"{flops} FLOP/s");
        Assert.Equal(free, device.FreeBytes);
    }

    static void Works(CudaDevice device)
    {
        var tensor = Tensor.Matrix(device.Allocate(16), 1, 4);
        device.Softmax(tensor);
        var values = new float[4];
        device.Read(tensor, values);
        Assert.Equal([0.25f, 0.25f, 0.25f, 0.25f], values);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
