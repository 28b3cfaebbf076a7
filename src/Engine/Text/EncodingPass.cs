namespace Serving.Text;

/// <summary>The way of one text to its ids: added tokens of the text as it stands, normalising, added tokens of the normalised text, words, merging.</summary>
readonly struct EncodingPass(TokenizerParts parts, TokenList ids)
{
    public void Text(MarkedText text)
    {
        var from = 0;
        while (parts.Raw.Next(text, from, out var range) is { } token)
        {
            Stretch(text[from..range.Start], atStart: from == 0);
            ids.Add(token.Id);
            from = range.End.Value;
        }
        Stretch(text[from..], atStart: from == 0);
    }

    void Stretch(MarkedText text, bool atStart)
    {
        foreach (var normalizer in parts.Normalizers)
        {
            var output = new MarkedBuffer(text.Text.Length + 8);
            normalizer.Apply(text, output, atStart);
            text = output.Written;
        }
        var from = 0;
        while (parts.Normalized.Next(text, from, out var range) is { } token)
        {
            Words(text[from..range.Start], atStart && from == 0);
            ids.Add(token.Id);
            from = range.End.Value;
        }
        Words(text[from..], atStart && from == 0);
    }

    void Words(MarkedText text, bool atStart)
    {
        if (text.Text.IsEmpty)
            return;
        if (parts.BeforeWords is { } before)
        {
            var output = new MarkedBuffer(text.Text.Length + 8);
            before.Apply(text, output, atStart);
            text = output.Written;
        }
        new PieceSink(parts.Splitters, 0, parts.Model, ids).Take(text.Text);
    }
}
