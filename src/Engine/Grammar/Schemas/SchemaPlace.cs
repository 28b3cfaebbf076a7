using System.Text.Json;

namespace Serving.Grammar.Schemas;

/// <summary>What a place of a schema says of a value.</summary>
enum PlaceKind
{
    /// <summary>All of a schema.</summary>
    Schema,

    /// <summary>A schema's own assertions, without references and alternatives.</summary>
    Assertions,

    /// <summary>A list of schemas, at least one of which holds.</summary>
    AnyOf,

    /// <summary>A list of schemas, exactly one of which holds.</summary>
    OneOf,

    /// <summary>A schema that does not hold.</summary>
    Not,

    /// <summary>The case that a schema distinguishes: <c>if</c>, <c>then</c> and <c>else</c> stand in it.</summary>
    Case,
}

/// <summary>A part of a schema and where it stands.</summary>
readonly record struct SchemaPlace(PlaceKind Kind, JsonElement Json, string Path)
{
    public static SchemaPlace Of(JsonElement schema, string path) => new(PlaceKind.Schema, schema, path);

    public SchemaPlace Below(string name, JsonElement json, PlaceKind kind = PlaceKind.Schema) => new(kind, json, Path.Length == 0 ? name : $"{Path}.{name}");

    public GrammarException Wrong(string keyword, string expected) => new($"'{Below(keyword, default).Path}' must be {expected}.");

    public GrammarException Unsupported(string what) => new($"'{Below(what, default).Path}' is not supported.");
}

/// <summary>Finds what <c>$ref</c> names within a schema (JSON Pointer, RFC 6901).</summary>
sealed class SchemaReferences(JsonElement root)
{
    public SchemaPlace Resolve(SchemaPlace from)
    {
        var json = from.Json.GetProperty("$ref");
        var reference = json.ValueKind == JsonValueKind.String ? json.GetString()! : throw from.Wrong("$ref", "a string");
        if (reference is not ['#'] and not ['#', '/', ..])
            throw new GrammarException($"'{from.Below("$ref", json).Path}' is '{Shortened(reference)}'; only references within the schema, such as #/$defs/name, are supported.");
        var (at, path) = (root, "");
        foreach (var part in reference.Split('/').Skip(1))
        {
            var name = Uri.UnescapeDataString(part).Replace("~1", "/").Replace("~0", "~");
            path += path.Length == 0 ? name : $".{name}";
            if (at.ValueKind == JsonValueKind.Object && at.TryGetProperty(name, out var member))
                at = member;
            else if (at.ValueKind == JsonValueKind.Array && int.TryParse(name, out var index) && index >= 0 && index < at.GetArrayLength())
                at = at[index];
            else
                throw new GrammarException($"'{from.Below("$ref", json).Path}' is '{Shortened(reference)}', which is not in the schema.");
        }
        return SchemaPlace.Of(at, path);
    }

    static string Shortened(string text) => text.Length <= 80 ? text : text[..80] + "…";
}
