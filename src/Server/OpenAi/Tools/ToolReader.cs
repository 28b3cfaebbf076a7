using System.Text;

namespace Serving.Server.OpenAi;

/// <summary>
/// Splits an answer into content and tool calls as it comes. What it says depends on the text alone and never on where the text is cut:
/// it waits where the next characters may change its mind. A call that breaks off before its name is known, or that names no tool, is content.
/// </summary>
sealed class ToolReader(ToolFormat format, IReadOnlyList<ToolDefinition> tools, bool parallel)
{
    readonly List<ToolPiece> _pieces = ToolPattern.Parse(format.Call);
    readonly string _trigger = format.Trigger;
    readonly StringBuilder _raw = new();
    string _text = "";
    Stage _stage = format.Trigger.Length > 0 ? Stage.Content : Stage.Beginning;
    int _piece;
    CallPieces? _call;

    enum Stage
    {
        /// <summary>At the beginning of an answer that may be a call as a whole.</summary>
        Beginning,
        Content,
        Call,
        After,

        /// <summary>No call can come any more.</summary>
        Rest,
    }

    /// <summary>Calls that have begun.</summary>
    public int Calls { get; private set; }

    /// <summary>Whether what follows does not belong to the answer.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Takes more text, and adds what is certain by now.</summary>
    public void Push(string text, List<AnswerPart> parts)
    {
        if (IsOver)
            return;
        _text += text;
        while (Advance(parts) && !IsOver)
        {
        }
    }

    /// <summary>Ends the answer: what waited is what it seems.</summary>
    public void Flush(List<AnswerPart> parts)
    {
        if (IsOver || (_call is { HasBegun: true } && _stage == Stage.Call))
            return;
        AnswerPart.Add(parts, new(PartKind.Content, _raw + (_stage == Stage.After ? _text.Trim() : _text)));
        (_text, _stage) = ("", Stage.Rest);
    }

    /// <summary>Goes on as far as one stage; false where more text is needed.</summary>
    bool Advance(List<AnswerPart> parts) => _stage switch
    {
        Stage.Beginning => Begin(parts),
        Stage.Content => ReadContent(parts),
        Stage.Call => ReadCall(parts),
        Stage.After => ReadAfter(),
        _ => Say(_text.Length, parts),
    };

    bool Begin(List<AnswerPart> parts)
    {
        var start = _text.TrimStart();
        if (start.Length == 0)
            return false;
        var python = TextMatch.Of(start, "<|python_tag|>", out var length);
        if (python == Fit.Partly)
            return false;
        if (python == Fit.Whole)
            start = start[length..].TrimStart();
        if (start.Length == 0)
            return false;
        _stage = start[0] == '{' ? Stage.Call : Stage.Rest;
        if (_stage == Stage.Call)
            NextCall(_text.Length - start.Length);
        return true;
    }

    bool ReadContent(List<AnswerPart> parts)
    {
        var at = _text.IndexOf(_trigger, StringComparison.Ordinal);
        if (at >= 0)
        {
            var said = _text[..at].TrimEnd().Length;
            Say(said, parts);
            _stage = Stage.Call;
            NextCall(at - said);
            if (format.Opens.Length > 0)
                _piece = -1;
            return true;
        }
        var certain = _text.Length - TextMatch.OpenEnd(_text, _trigger);
        Say(_text[..certain].TrimEnd().Length, parts);
        return false;
    }

    bool ReadCall(List<AnswerPart> parts)
    {
        var piece = _piece < 0 ? new(format.Opens, "") : _pieces[_piece];
        var fit = _call!.Read(piece, _piece + 1 < _pieces.Count ? _pieces[_piece + 1].Literal : null, _text, out var length);
        if (!_call.HasBegun)
            _raw.Append(_text.AsSpan(0, length));
        _text = _text[length..];
        if (fit == Fit.Not)
        {
            _text = _raw + _text;
            var raw = _call.HasBegun ? 0 : _raw.Length;
            _raw.Clear();
            _stage = _trigger.Length > 0 ? Stage.Content : Stage.Rest;
            return Say(raw, parts) || _text.Length > 0;
        }
        _call.Tell(Calls, parts);
        if (_call.HasBegun)
            _raw.Clear();
        if (fit == Fit.Partly)
            return false;
        if (++_piece < _pieces.Count)
            return true;
        _call.Complete(Calls++, parts);
        (_stage, IsOver) = (Stage.After, !parallel);
        return true;
    }

    bool ReadAfter()
    {
        var rest = _text.TrimStart();
        if (rest.Length == 0)
            return false;
        string[] ends = format.Closes.Length > 0 ? [format.Closes, format.Closes.TrimStart(']')] : [];
        var first = _pieces[0].Literal?.Trim() ?? "{";
        var between = format.Between.Trim();
        var partly = false;
        foreach (var (sign, stage, skips) in ends.Select(end => (end, Stage.Content, true)).Append((between, Stage.Call, true)).Append((first, Stage.Call, false)))
        {
            var fit = sign.Length == 0 ? Fit.Not : TextMatch.Of(rest, sign, out var length) is var found && found == Fit.Whole ? Taken(length) : found;
            partly |= fit == Fit.Partly;
            if (fit == Fit.Whole)
                return true;

            Fit Taken(int length)
            {
                _text = skips ? rest[length..] : rest;
                _stage = stage == Stage.Content && _trigger.Length == 0 ? Stage.Rest : stage;
                if (_stage == Stage.Call)
                    NextCall(0);
                return Fit.Whole;
            }
        }
        if (partly)
            return false;
        _stage = _trigger.Length > 0 ? Stage.Content : Stage.Rest;
        return true;
    }

    void NextCall(int skipped)
    {
        _raw.Clear().Append(_text.AsSpan(0, skipped));
        _text = _text[skipped..];
        (_piece, _call) = (0, new(format, tools));
    }

    /// <summary>Gives away the first characters as content; false when there are none.</summary>
    bool Say(int length, List<AnswerPart> parts)
    {
        AnswerPart.Add(parts, new(PartKind.Content, _text[..length]));
        _text = _text[length..];
        return length > 0;
    }
}
