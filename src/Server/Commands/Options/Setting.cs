namespace Serving.Server.Commands;

/// <summary>Something that can be set as a flag, in the environment or in a file.</summary>
/// <param name="Name">The flag without its dashes.</param>
/// <param name="Default">What holds when nobody sets it; null for nothing.</param>
/// <param name="Help">One sentence for the help text.</param>
sealed record Setting(string Name, string? Default, string Help)
{
    /// <summary>Whether it is on or off: <c>--name</c> and <c>--no-name</c>.</summary>
    public bool IsSwitch { get; init; }

    /// <summary>Whether it takes several values.</summary>
    public bool IsList { get; init; }

    public string Flag => "--" + Name;

    public string Variable => "SERVING_" + Name.Replace('-', '_').ToUpperInvariant();
}

/// <summary>A mistake in how the program was called; the message is all that the user needs.</summary>
sealed class SettingException(string message) : Exception(message);
