using System.Text.Json;
using System.Text.RegularExpressions;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>A tool that a request offers to the model.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Parameters">The schema of its arguments; any object where null.</param>
/// <param name="Path">Where it stands in the request.</param>
sealed partial record ToolDefinition(string Name, JsonElement? Parameters, string Path)
{
    const int MaxTools = 128;

    /// <summary>The tools of a request, checked.</summary>
    public static List<ToolDefinition> ReadAll(RequestReader read)
    {
        var tools = new List<ToolDefinition>();
        foreach (var value in read.List("tools", 1, MaxTools) ?? [])
        {
            var tool = value.AsObject();
            if (tool.Required("type").AsString() is not "function" and var type)
                throw ApiException.Invalid(tool.PathOf("type"), "unsupported_value",
                    $"'{tool.PathOf("type")}' is '{RequestValue.Shortened(type)}'; tools are functions here.");
            var function = tool.Required("function").AsObject();
            var name = function.Required("name").AsString();
            if (!Plain().IsMatch(name))
                throw ApiException.Invalid(function.PathOf("name"), "invalid_value",
                    $"'{function.PathOf("name")}' is '{RequestValue.Shortened(name)}'; names have 1 to 64 letters, digits, underscores and hyphens.");
            if (tools.Exists(other => other.Name == name))
                throw ApiException.Invalid(function.PathOf("name"), "invalid_value", $"'{function.PathOf("name")}' repeats the name '{name}'.");
            function.String("description");
            function.Flag("strict");
            tools.Add(new(name, function.Object("parameters") is null ? null : function.Find("parameters")!.Value.Element, function.PathOf("parameters")));
        }
        return tools;
    }

    /// <summary>Whether an argument is a text and nothing else.</summary>
    public bool IsText(string argument) =>
        Parameters is { } schema && schema.TryGetProperty("properties", out var properties) && properties.ValueKind == JsonValueKind.Object
            && properties.TryGetProperty(argument, out var own) && IsText(own);

    /// <summary>Whether a schema asks for a text and nothing else.</summary>
    public static bool IsText(JsonElement schema) =>
        schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("type", out var type)
            && type.ValueKind == JsonValueKind.String && type.GetString() == "string";

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,64}\z")]
    private static partial Regex Plain();
}
