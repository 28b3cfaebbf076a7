using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Serving.Server.Http;

/// <summary>One JSON value of a request and the path to it; reading it as a type it does not have is a 400 that names the path.</summary>
readonly record struct RequestValue(JsonElement Element, string Path)
{
    public bool IsNull => Element.ValueKind == JsonValueKind.Null;

    public bool IsString => Element.ValueKind == JsonValueKind.String;

    public bool IsList => Element.ValueKind == JsonValueKind.Array;

    public bool IsObject => Element.ValueKind == JsonValueKind.Object;

    public bool IsNumber => Element.ValueKind == JsonValueKind.Number;

    /// <summary>Writes the value as it is.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        var element = Element;
        Unicode(() =>
        {
            element.WriteTo(json);
            return true;
        }, Path);
    }

    /// <summary>The value as a tree that can be written.</summary>
    public JsonNode? ToNode()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
            WriteTo(json);
        return JsonNode.Parse(buffer.WrittenSpan);
    }

    public string AsString(int maxLength = int.MaxValue)
    {
        if (!IsString)
            throw WrongType("a string");
        var text = Unicode(Element.GetString, Path)!;
        return text.Length <= maxLength ? text : throw ApiException.Invalid(Path, "string_above_max_length",
            $"'{Path}' has {text.Length} characters; at most {maxLength} are allowed.");
    }

    public bool AsFlag() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw WrongType("true or false"),
    };

    public long AsInteger(long min, long max)
    {
        if (!IsNumber)
            throw WrongType("an integer");
        if (!Element.TryGetInt64(out var number))
        {
            var real = Element.GetDouble();
            if (real == Math.Floor(real) && (real > max || real >= long.MaxValue))
                throw TooHigh("integer", real, max);
            if (real == Math.Floor(real) && (real < min || real < long.MinValue))
                throw TooLow("integer", real, min);
            number = real == Math.Floor(real) ? (long)real : throw WrongType("an integer");
        }
        if (number < min)
            throw TooLow("integer", number, min);
        return number <= max ? number : throw TooHigh("integer", number, max);
    }

    public double AsNumber(double min, double max)
    {
        if (!IsNumber)
            throw WrongType("a number");
        var number = Element.GetDouble();
        if (number < min)
            throw TooLow("decimal", number, min);
        return number <= max ? number : throw TooHigh("decimal", number, max);
    }

    public string AsOneOf(params ReadOnlySpan<string> values)
    {
        var text = AsString();
        return values.Contains(text) ? text : throw ApiException.Invalid(Path, "invalid_value",
            $"'{Path}' is '{Shortened(text)}'; supported values are {string.Join(", ", values!)}.");
    }

    public RequestReader AsObject() => IsObject ? new(Element, Path) : throw WrongType("an object");

    public IEnumerable<RequestValue> AsList(int min, int max)
    {
        if (!IsList)
            throw WrongType("a list");
        var length = Element.GetArrayLength();
        if (length < min)
            throw ApiException.Invalid(Path, "empty_array", $"'{Path}' has {length} items; at least {min} must be given.");
        if (length > max)
            throw ApiException.Invalid(Path, "array_above_max_length", $"'{Path}' has {length} items; at most {max} are allowed.");
        var path = Path;
        return Element.EnumerateArray().Select((item, i) => new RequestValue(item, $"{path}[{i}]"));
    }

    public ApiException WrongType(string expected) => ApiException.Invalid(Path.Length == 0 ? null : Path, "invalid_type",
        $"Invalid type for {(Path.Length == 0 ? "the request body" : $"'{Path}'")}: expected {expected}, but got {Described(Element.ValueKind)}.");

    /// <summary>Runs a read that fails on text that is not Unicode (half a surrogate pair).</summary>
    internal static T Unicode<T>(Func<T> read, string path)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException)
        {
            throw ApiException.Invalid(path.Length == 0 ? null : path, "invalid_value",
                $"{(path.Length == 0 ? "The request body" : $"'{path}'")} holds text that is not valid Unicode.");
        }
    }

    internal static string Shortened(string text) => text.Length <= 64 ? text : text[..64] + "…";

    ApiException TooLow(string kind, double number, double min) => ApiException.Invalid(Path, $"{kind}_below_min_value",
        $"'{Path}' is {number}; it must be at least {min}.");

    ApiException TooHigh(string kind, double number, double max) => ApiException.Invalid(Path, $"{kind}_above_max_value",
        $"'{Path}' is {number}; it must be at most {max}.");

    static string Described(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };
}
