using System.Reflection;

namespace Serving.Server;

/// <summary>Which build this is.</summary>
static class ServerVersion
{
    /// <summary>The version of the program, with the source revision where the build knew it.</summary>
    public static string Text { get; } =
        typeof(ServerVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
