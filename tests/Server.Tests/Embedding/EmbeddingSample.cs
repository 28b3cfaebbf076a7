using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Serving.Server.Embedding;

namespace Serving.Tests;

static class EmbeddingSample
{
    public static async Task<string> FruitsAsync()
    {
        var services = new ServiceCollection();
        services.AddServing(options => options.Settings["kv-cache-memory-bytes"] = "64MiB");
        await using var provider = services.BuildServiceProvider();

        var client = provider.GetRequiredService<IChatClient>();
        var answer = await client.GetResponseAsync("List three fruits.", new() { Temperature = 0 });
        return answer.Text;
    }
}
