using System.Text.Json;

namespace Serving.Text;

/// <summary>Reads parts of tokenizer.json strictly: a value of the wrong kind is an error that names its place.</summary>
static class JsonSections
{
    public static string Text(JsonElement value, string where) => value.ValueKind == JsonValueKind.String
        ? value.GetString()! : throw new InvalidDataException($"tokenizer.json: {where} is {Short(value)}; a string was expected.");

    public static bool Flag(JsonElement value, string where) => value.ValueKind is JsonValueKind.True or JsonValueKind.False
        ? value.GetBoolean() : throw new InvalidDataException($"tokenizer.json: {where} is {Short(value)}; true or false was expected.");

    public static int Whole(JsonElement value, string where) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number)
        ? number : throw new InvalidDataException($"tokenizer.json: {where} is {Short(value)}; a whole number was expected.");

    public static JsonElement Get(JsonElement parent, string name, string where) => parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var value)
        ? value : throw new InvalidDataException($"tokenizer.json: {where} has no '{name}'.");

    public static bool Flag(JsonElement parent, string name, bool absent, string where) => parent.TryGetProperty(name, out var value)
        ? Flag(value, $"{where}.{name}") : absent;

    /// <summary>The elements of an array property.</summary>
    public static JsonElement.ArrayEnumerator Items(JsonElement parent, string name, string where) => Get(parent, name, where) is { ValueKind: JsonValueKind.Array } array
        ? array.EnumerateArray() : throw new InvalidDataException($"tokenizer.json: {where}.{name} is not an array.");

    /// <summary>The <c>type</c> of a step, after checking that it has no property but those named.</summary>
    public static string Type(JsonElement step, string where) => Text(Get(step, "type", where), $"{where}.type");

    public static void Only(JsonElement step, string where, params ReadOnlySpan<string> known)
    {
        foreach (var property in step.EnumerateObject())
            if (property.Name != "type" && !known.Contains(property.Name))
                throw new InvalidDataException($"tokenizer.json: {where} has '{property.Name}', which is not known here.");
    }

    public static InvalidDataException Refuse(string where, string type, string known) =>
        new($"tokenizer.json: {where} is of type '{type}', which is not known here; known are {known}.");

    /// <summary>The steps of a section, those of nested sequences in order; none for an absent section.</summary>
    public static List<(JsonElement Step, string Where)> Flatten(JsonElement? section, string where, string list)
    {
        var steps = new List<(JsonElement, string)>();
        if (section is { ValueKind: not JsonValueKind.Null } step)
            Flatten(step, where, list, steps);
        return steps;
    }

    const int MostSteps = 32;

    static void Flatten(JsonElement step, string where, string list, List<(JsonElement, string)> steps)
    {
        if (steps.Count == MostSteps)
            throw new InvalidDataException($"tokenizer.json: {where} is past the {MostSteps} steps that are read.");
        if (Type(step, where) != "Sequence")
        {
            steps.Add((step, where));
            return;
        }
        Only(step, where, list);
        var i = 0;
        foreach (var item in Items(step, list, where))
            Flatten(item, $"{where}[{i++}]", list, steps);
    }

    /// <summary>The start of a value's own text, for messages.</summary>
    public static string Short(JsonElement value) => value.ValueKind == JsonValueKind.Undefined ? "absent"
        : value.GetRawText() is { Length: > 60 } text ? text[..60] + "…" : value.GetRawText();
}
