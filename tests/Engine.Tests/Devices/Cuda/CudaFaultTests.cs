using Serving.Devices;
using Serving.Model;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>A driver, a compiler or a device that fails, each on demand: one message that names the call, its status and what to do.</summary>
public sealed class CudaFaultTests : IDisposable
{
    readonly EmulatedDriver _driver = new();

    [Theory, InlineData(11030, "11.3"), InlineData(10020, "10.2")]
    public void A_driver_that_is_too_old_is_refused_with_both_versions(int version, string said)
    {
        _driver.Version = version;
        Says(0, $"of version {said}", "11.4", "Install a newer one");
    }

    [Theory]
    [InlineData("cuInit", 100, "nvidia-smi"), InlineData("cuInit", 803, "Install the driver anew"), InlineData("cuInit", 34, "stub")]
    [InlineData("cuInit", 999, "dmesg"), InlineData("cuDeviceGetCount", 3, "restarted"), InlineData("cuDevicePrimaryCtxRetain", 46, "another process")]
    [InlineData("cuDevicePrimaryCtxRetain", 2, "out of memory"), InlineData("cuStreamCreate", 719, "restarted"), InlineData("cuMemHostAlloc", 2, "host memory")]
    [InlineData("cuMemAlloc_v2", 2, "--kv-cache-memory-bytes"), InlineData("cuEventCreate", 700, "restarted")]
    public void A_call_that_fails_at_the_start_is_named_with_its_status_and_what_to_do(string call, int status, string advice)
    {
        _driver.Fail(call, status);
        Says(status, call, $"status {status}", advice);
    }

    [Theory, InlineData(200), InlineData(209), InlineData(218), InlineData(222)]
    public void Kernels_that_the_driver_does_not_take_are_refused_with_what_may_help(int status)
    {
        _driver.Fail("cuModuleLoadDataEx", status);
        Says(status, "cuModuleLoadDataEx", $"status {status}", "newer");
    }

    [Fact]
    public void A_kernel_that_is_missing_is_named()
    {
        _driver.Fail("cuModuleGetFunction", 500, spared: 3);
        Says(500, "cuModuleGetFunction(", "status 500", "missing");
    }

    [Fact]
    public void A_source_that_does_not_compile_is_named_with_the_device_the_compiler_and_its_log()
    {
        _driver.Fail("nvrtcCompileProgram", 6);
        Says(0, ".cu cannot be compiled for sm_80 by NVRTC 12.4", "nvrtcCompileProgram, status 6", "SERVING_CUDA_COMPILER", "(7): error: refused");
    }

    [Theory, InlineData(999), InlineData(719), InlineData(214)]
    public async Task A_device_that_disappears_ends_the_engine_and_everybody_is_told_why(int status)
    {
        var options = new EngineOptions { CacheBytes = 8 << 20, MaxModelLength = 64, TokensPerStep = 16, MaxSequences = 4 };
        await using var model = new LoadedModel(Checkpoint.OpenFolder(Fixtures.Path("hf/qwen3")), new CudaDevice(_driver.Options), options);
        GenerationRequest request = new() { Prompt = [5, 6, 7], MaxTokens = 6, Sampling = new() { Temperature = 0 } };
        await Said.AskAsync(model, request);

        _driver.Fail("*", status);
        var ends = await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ => await EndAsync(model, request)));
        await model.Engine.Ended.WaitAsync(TestContext.Current.CancellationToken);
        foreach (var error in ends.Where(end => end is not null))
        {
            Assert.Contains($"failed with status {status}", error);
            Assert.Contains("estart", error);
        }
        Assert.NotNull(ends[0]);
        Assert.Equal(RefusalReason.Stopping, Assert.Throws<RequestRefusedException>(() => model.Engine.Start(request, TestContext.Current.CancellationToken)).Reason);
    }

    // The error that a request ends with; null where the engine no longer took it.
    static async Task<string?> EndAsync(LoadedModel model, GenerationRequest request)
    {
        try
        {
            GenerationEvent.Finished? end = null;
            await foreach (var happened in model.Engine.Start(request, TestContext.Current.CancellationToken).Events.ReadAllAsync(TestContext.Current.CancellationToken))
                end = happened as GenerationEvent.Finished ?? end;
            Assert.Equal(FinishReason.Failed, end!.Reason);
            return end.Error;
        }
        catch (RequestRefusedException refused) when (refused.Reason == RefusalReason.Stopping)
        {
            return null;
        }
    }

    void Says(int status, params string[] parts)
    {
        var error = Assert.Throws<CudaException>(() => new CudaDevice(_driver.Options));
        Assert.Equal(status, error.Status);
        foreach (var part in parts) Assert.Contains(part, error.Message);
    }

    public void Dispose() => _driver.Dispose();
}
