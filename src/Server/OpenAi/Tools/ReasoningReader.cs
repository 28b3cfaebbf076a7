namespace Serving.Server.OpenAi;

/// <summary>The tags that a model puts around what it thinks.</summary>
/// <param name="Opens">Before.</param>
/// <param name="Closes">After.</param>
sealed record ReasoningTags(string Opens, string Closes)
{
    static readonly ReasoningTags[] Known = [new("<think>", "</think>"), new("[THINK]", "[/THINK]")];

    /// <summary>The tags that a chat template speaks of; null where it speaks of none.</summary>
    public static ReasoningTags? Of(string template) => Array.Find(Known, tags => template.Contains(tags.Closes));

    /// <summary>Whether a prompt ends within a thought.</summary>
    public bool IsOpenAt(string prompt) => prompt.TrimEnd().EndsWith(Opens, StringComparison.Ordinal);
}

/// <summary>Splits what a model thinks from what it says, as it comes and wherever it is cut; white space beside the tags belongs to neither.</summary>
/// <param name="tags">The tags.</param>
/// <param name="isOpen">Whether the prompt has opened a thought already.</param>
sealed class ReasoningReader(ReasoningTags tags, bool isOpen)
{
    string _text = "";
    bool _begun;
    bool _isOpen = isOpen;

    /// <summary>Whether a thought is under way.</summary>
    public bool IsThinking => _isOpen;

    /// <summary>Whether everything from now on is said.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Takes more text; what is thought goes to the parts, what is said is returned.</summary>
    public string Push(string text, List<AnswerPart> parts)
    {
        _text += text;
        if (!_isOpen && !IsOver && !Open())
            return "";
        if (_isOpen)
            Think(parts);
        if (!IsOver)
            return "";
        // White space after a thought is none of the answer's.
        if (_begun)
            _text = _text.TrimStart();
        var said = _text;
        (_text, _begun) = ("", _begun && said.Length == 0);
        return said;
    }

    /// <summary>Ends the text; what waits is thought, or said.</summary>
    public string Flush(List<AnswerPart> parts)
    {
        var rest = _text;
        _text = "";
        if (!_isOpen)
            return _begun && IsOver ? "" : rest;
        AnswerPart.Add(parts, new(PartKind.Reasoning, rest.TrimEnd()));
        return "";
    }

    bool Open()
    {
        var fit = TextMatch.Of(_text, tags.Opens, out var length);
        if (fit == Fit.Partly)
            return false;
        (_isOpen, IsOver) = (fit == Fit.Whole, fit == Fit.Not);
        if (_isOpen)
            _text = _text[length..];
        return true;
    }

    void Think(List<AnswerPart> parts)
    {
        if (!_begun)
            _text = _text.TrimStart();
        var end = _text.IndexOf(tags.Closes, StringComparison.Ordinal);
        var certain = _text[..(end >= 0 ? end : _text.Length - TextMatch.OpenEnd(_text, tags.Closes))].TrimEnd().Length;
        AnswerPart.Add(parts, new(PartKind.Reasoning, _text[..certain]));
        _begun |= certain > 0 || end >= 0;
        if (end < 0)
        {
            _text = _text[certain..];
            return;
        }
        _text = _text[(end + tags.Closes.Length)..];
        (_isOpen, IsOver, _begun) = (false, true, true);
    }
}
