namespace Serving.Grammar.Schemas;

/// <summary>
/// The keywords of JSON Schema from draft 4 to 2020-12, by what becomes of them. Others are a client's own, which the specification lets
/// everybody ignore.
/// </summary>
static class SchemaKeywords
{
    /// <summary>Assertions that answers are held to.</summary>
    public static readonly string[] Held =
    [
        "type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "dependentRequired", "dependentSchemas", "dependencies",
        "properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties", "maxProperties",
        "items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems", "pattern", "format", "minLength", "maxLength",
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    ];

    /// <summary>Assertions that no grammar of this kind can hold to: a schema with one is refused.</summary>
    public static readonly string[] Refused =
        ["unevaluatedProperties", "unevaluatedItems", "contains", "minContains", "maxContains", "$dynamicRef", "$recursiveRef"];

    /// <summary>Members that assert nothing: what people are told, and what references name.</summary>
    public static readonly string[] Silent =
    [
        "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "contentEncoding", "contentMediaType",
        "contentSchema", "$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary", "$defs", "definitions",
    ];
}
