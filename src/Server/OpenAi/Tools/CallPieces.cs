using System.Text;
using System.Text.Json;

namespace Serving.Server.OpenAi;

/// <summary>One call on its way through the pieces of a format's pattern.</summary>
sealed class CallPieces(ToolFormat format, IReadOnlyList<ToolDefinition> tools)
{
    readonly CallObject _object = new(format.ArgumentsKey);
    readonly StringBuilder _arguments = new();
    readonly List<ToolPiece> _pair = ToolPattern.Parse(format.Pair);
    JsonScan _scan;
    ToolDefinition? _tool;
    int? _number;
    bool _hasPairs;
    int _told;

    /// <summary>Whether the client knows of the call.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Reads a piece from the beginning of a text; <paramref name="length"/> characters of it are done with.</summary>
    public Fit Read(ToolPiece piece, string? next, string text, out int length)
    {
        length = 0;
        if (piece.Literal is { } literal)
            return ReadLiteral(literal, text, ref length);
        return piece.Hole switch
        {
            "name" => ReadName(text, ref length),
            "number" => ReadNumber(text, ref length),
            "id" => ReadId(text, next!, ref length),
            "arguments" => ReadArguments(text, ref length),
            "call" => ReadObject(text, ref length),
            _ => ReadPairs(text, next!, ref length),
        };
    }

    /// <summary>Tells what is new about the call, once its tool is known.</summary>
    public void Tell(int index, List<AnswerPart> parts)
    {
        if (_tool is not { } tool || (format.Call.Contains("{number}", StringComparison.Ordinal) && _number is null))
            return;
        if (!HasBegun)
            AnswerPart.Add(parts, new(PartKind.Call, tool.Name, index, format.Id(tool.Name, _number ?? index)));
        HasBegun = true;
        var written = _object.Arguments.Length > 0 ? _object.Arguments : _arguments;
        AnswerPart.Add(parts, new(PartKind.Arguments, written.ToString(_told, written.Length - _told), index));
        _told = written.Length;
    }

    /// <summary>Ends the call.</summary>
    public void Complete(int index, List<AnswerPart> parts)
    {
        if (_hasPairs)
            _arguments.Append('}');
        else if (_told == 0)
            _arguments.Append("{}");
        Tell(index, parts);
    }

    // A list's bracket that a model leaves out is no reason to take its calls for text.
    static Fit ReadLiteral(string literal, string text, ref int length)
    {
        var fit = TextMatch.Of(text, literal, out var found);
        if (fit == Fit.Not && literal.EndsWith('['))
            fit = TextMatch.Of(text, literal.AsSpan(0, literal.Length - 1), out found);
        length = fit == Fit.Whole ? found : 0;
        return fit;
    }

    Fit ReadName(string text, ref int length)
    {
        var from = text.Length - text.AsSpan().TrimStart().Length;
        var end = from;
        while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] is '_' or '-'))
            end++;
        if (end == text.Length)
            return Fit.Partly;
        length = end;
        return Find(text.AsSpan(from, end - from)) ? Fit.Whole : Fit.Not;
    }

    bool Find(ReadOnlySpan<char> name)
    {
        foreach (var tool in tools)
            if (name.SequenceEqual(tool.Name))
                _tool = tool;
        return _tool is not null;
    }

    Fit ReadNumber(string text, ref int length)
    {
        var end = 0;
        while (end < text.Length && char.IsAsciiDigit(text[end]))
            end++;
        if (end == text.Length)
            return Fit.Partly;
        _number = int.TryParse(text.AsSpan(0, end), out var number) ? number : 0;
        length = end;
        return Fit.Whole;
    }

    static Fit ReadId(string text, string next, ref int length)
    {
        var fit = TextMatch.Of(text, "[CALL_ID]", out _);
        if (fit != Fit.Whole)
            return fit == Fit.Partly ? Fit.Partly : Fit.Whole;
        var at = text.IndexOf(next, StringComparison.Ordinal);
        length = Math.Max(at, 0);
        return at < 0 ? Fit.Partly : Fit.Whole;
    }

    Fit ReadArguments(string text, ref int length)
    {
        while (length < text.Length)
        {
            var step = _scan.Push(text[length]);
            if (_scan.First is not ('\0' or '{'))
                return Fit.Not;
            if (_scan.First == '{')
                _arguments.Append(text[length]);
            length++;
            if (step == JsonStep.Last)
                return Fit.Whole;
        }
        return Fit.Partly;
    }

    Fit ReadObject(string text, ref int length)
    {
        while (length < text.Length)
        {
            if (!_object.Push(text[length]))
                return Fit.Not;
            length++;
            if (_tool is null && _object.Name is { } name && !Find(name))
                return Fit.Not;
            if (_object.IsDone)
                return _tool is null ? Fit.Not : Fit.Whole;
        }
        return Fit.Partly;
    }

    Fit ReadPairs(string text, string next, ref int length)
    {
        if (!_hasPairs)
            _arguments.Append('{');
        _hasPairs = true;
        while (true)
        {
            var rest = text[length..];
            var end = TextMatch.Of(rest, next, out _);
            if (end == Fit.Whole)
                return Fit.Whole;
            var fit = TextMatch.Of(rest, _pair[0].Literal, out var from);
            if (fit != Fit.Whole)
                return fit == Fit.Partly || end == Fit.Partly ? Fit.Partly : Fit.Not;
            var middle = _pair[2].Literal!.Split('\n');
            var keyEnd = rest.IndexOf(middle[0], from, StringComparison.Ordinal);
            if (keyEnd < 0)
                return Fit.Partly;
            if (TextMatch.Of(rest.AsSpan(keyEnd), _pair[2].Literal, out var between) is not Fit.Whole and var unfit)
                return unfit;
            var valueFrom = keyEnd + between;
            var close = _pair[4].Literal!.Trim();
            var valueEnd = rest.IndexOf(close, valueFrom, StringComparison.Ordinal);
            if (valueEnd < 0)
                return Fit.Partly;
            Add(rest[from..keyEnd].Trim(), Value(rest[valueFrom..valueEnd]));
            length += valueEnd + close.Length;
        }
    }

    /// <summary>A value without the line breaks that the pattern has beside it.</summary>
    string Value(string text)
    {
        if (_pair[2].Literal!.EndsWith('\n') && text.StartsWith('\n'))
            text = text[1..];
        return _pair[4].Literal!.StartsWith('\n') && text.EndsWith('\n') ? text[..^1] : text;
    }

    void Add(string key, string value)
    {
        _arguments.Append(_arguments.Length > 1 ? ", " : "").Append(Spelled(key)).Append(": ")
            .Append(_tool!.IsText(key) || !IsJson(value) ? Spelled(value) : value.Trim());
    }

    static string Spelled(string text) => JsonSerializer.Serialize(text, OpenAiJson.Plain.String);

    static bool IsJson(string text)
    {
        try
        {
            JsonElement.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
