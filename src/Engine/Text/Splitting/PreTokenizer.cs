namespace Serving.Text;

/// <summary>Cuts a stretch of text into the words that merging never crosses: each splitter cuts the pieces of the one before.</summary>
sealed class PreTokenizer(Splitter[] splitters)
{
    public void Encode(ReadOnlySpan<char> text, WordModel model, List<int> ids) => Cut(text, 0, model, ids);

    void Cut(ReadOnlySpan<char> text, int depth, WordModel model, List<int> ids)
    {
        if (depth == splitters.Length)
        {
            if (text.Length > 0)
                model.Encode(text, ids);
            return;
        }
        for (var at = 0; splitters[depth].Next(text, ref at, out var piece);)
            Cut(text[piece], depth + 1, model, ids);
    }
}
