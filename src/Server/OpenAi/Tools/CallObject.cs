using System.Text;
using System.Text.Json;

namespace Serving.Server.OpenAi;

/// <summary>A call as one JSON object, read as it comes: its name, and the arguments as they are written.</summary>
sealed class CallObject(string argumentsKey)
{
    readonly StringBuilder _value = new();
    Place _place = Place.Begin;
    JsonScan _scan;
    string _key = "";

    enum Place
    {
        Begin,
        Key,
        Colon,
        Value,
        End,
    }

    /// <summary>The tool's name, once it is known.</summary>
    public string? Name { get; private set; }

    /// <summary>The arguments so far.</summary>
    public StringBuilder Arguments { get; } = new();

    /// <summary>Whether the object is complete.</summary>
    public bool IsDone => _place == Place.End;

    /// <summary>Takes one more character; false where this is no call.</summary>
    public bool Push(char character)
    {
        switch (_place)
        {
            case Place.Begin when character == '{':
                _place = Place.Key;
                return true;
            case Place.Key when _scan.First == 0 && character is ',' or '}':
                _place = character == '}' ? Place.End : Place.Key;
                return true;
            case Place.Key:
                return PushKey(character);
            case Place.Colon when character == ':':
                _place = Place.Value;
                return true;
            case Place.Value:
                return PushValue(character);
            default:
                return char.IsWhiteSpace(character);
        }
    }

    bool PushKey(char character)
    {
        _value.Append(character);
        if (_scan.Push(character) == JsonStep.More)
            return _scan.First is '"' or '\0';
        if (Text() is not { } key)
            return false;
        (_key, _place) = (key, Place.Colon);
        Restart();
        return true;
    }

    bool PushValue(char character)
    {
        var step = _scan.Push(character);
        var isArguments = _key == argumentsKey || _key is "arguments" or "parameters";
        // Arguments that come as a text are decoded when it is complete.
        var asText = _scan.First == '"';
        if (step != JsonStep.Before && _scan.First != 0)
            (isArguments && !asText ? Arguments : _value).Append(character);
        if (step == JsonStep.More)
            return true;
        if (isArguments && asText)
            Arguments.Append(Text());
        if (_key is "name" && (Name = Text()) is null)
            return false;
        Restart();
        _place = Place.Key;
        return step != JsonStep.Before || Push(character);
    }

    string? Text()
    {
        try
        {
            return JsonElement.Parse(_value.ToString()) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    void Restart()
    {
        _scan = default;
        _value.Clear();
    }
}
