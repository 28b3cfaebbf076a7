using Microsoft.Extensions.AI;

namespace Serving.Server.Embedding;

/// <summary>Registers the engine in another program's services.</summary>
public static class ServingServices
{
    /// <summary>
    /// One model in this process as the <see cref="IChatClient"/>. It is loaded when first asked for; a checkpoint or a setting that is wrong is an
    /// <see cref="ArgumentException"/> then.
    /// </summary>
    public static IServiceCollection AddServing(this IServiceCollection services, Action<ServingOptions>? configure = null)
    {
        var options = new ServingOptions();
        configure?.Invoke(options);
        services.AddSingleton(_ => ServingChatClient.Load(options));
        return services.AddSingleton<IChatClient>(provider => provider.GetRequiredService<ServingChatClient>());
    }
}
