namespace Serving.Server.Embedding;

/// <summary>What a model is loaded with inside another program.</summary>
public sealed class ServingOptions
{
    /// <summary>Folder or file of the checkpoint; the model that comes with the program when null.</summary>
    public string? Model { get; set; }

    /// <summary>Settings by the names that the command line gives them, such as <c>["kv-cache-memory-bytes"] = "512MiB"</c>.</summary>
    public IDictionary<string, string> Settings { get; } = new Dictionary<string, string>();
}
