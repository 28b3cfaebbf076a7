using Serving.Devices;
using Serving.Model;

namespace Serving.Tests;

/// <summary>What keeps a checkpoint from being served where it would be.</summary>
public sealed class LoadedModelTests
{
    [Fact]
    public void More_memory_than_there_is_is_refused_with_the_numbers_and_the_options()
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path("hf/llama_gqa_llama3"));
        using var device = new CpuDevice(1);
        var message = Assert.Throws<InsufficientMemoryException>(() => new LoadedModel(checkpoint, device, new() { CacheBytes = 1L << 50 })).Message;
        Assert.Contains("asks for 1,073,741,82", message);
        Assert.Contains("1,073,741,824 MiB for the cache", message);
        Assert.Matches(@" [\d,.]+ MiB are free\. Give the cache less than [\d,.]+ MiB \(--kv-cache-memory-bytes\)", message);
    }
}
