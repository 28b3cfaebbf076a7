namespace Serving.Server;
static class ModelLoading
{
    public static ServedModel Load(ServerOptions options, Serving.Diagnostics.EngineDiagnostics diagnostics) => throw new InvalidOperationException();
    public static string? DefaultModel() => null;
}
