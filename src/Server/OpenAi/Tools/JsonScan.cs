namespace Serving.Server.OpenAi;

/// <summary>Where a JSON value stands after one more character.</summary>
enum JsonStep
{
    /// <summary>It goes on, or has not begun.</summary>
    More,

    /// <summary>The character was its last.</summary>
    Last,

    /// <summary>It ended before the character.</summary>
    Before,
}

/// <summary>Finds the end of one JSON value that comes character by character; what is between is taken as it is.</summary>
struct JsonScan
{
    int _depth;
    bool _inText;
    bool _escaped;

    /// <summary>The first character; 0 before it.</summary>
    public char First { get; private set; }

    public JsonStep Push(char character)
    {
        if (First == 0)
        {
            if (char.IsWhiteSpace(character))
                return JsonStep.More;
            First = character;
        }
        if (_inText)
            return PushText(character);
        switch (character)
        {
            case '"':
                _inText = true;
                return JsonStep.More;
            case '{' or '[':
                _depth++;
                return JsonStep.More;
            case '}' or ']' when _depth > 0:
                return --_depth == 0 ? JsonStep.Last : JsonStep.More;
            default:
                return _depth == 0 && (character is ',' or '}' or ']' || char.IsWhiteSpace(character)) ? JsonStep.Before : JsonStep.More;
        }
    }

    JsonStep PushText(char character)
    {
        if (_escaped)
            _escaped = false;
        else if (character == '\\')
            _escaped = true;
        else if (character == '"')
        {
            _inText = false;
            return _depth == 0 ? JsonStep.Last : JsonStep.More;
        }
        return JsonStep.More;
    }
}
