namespace Serving.Text;

/// <summary>What a GGUF pre-tokenizer name stands for.</summary>
/// <param name="Splitters">How words are cut.</param>
/// <param name="WholeWords">A word that is a token is taken whole.</param>
/// <param name="ComposesText">The text is normalised to NFC first.</param>
/// <param name="AddsBeginOfText">What holds where the file does not say whether a text gets its first token.</param>
sealed record NamedPreTokenizer(Func<Splitter[]> Splitters, bool WholeWords = false, bool ComposesText = false, bool AddsBeginOfText = false);

/// <summary>The pre-tokenizers by the names that GGUF files carry in <c>tokenizer.ggml.pre</c>.</summary>
static class PreTokenizers
{
    static readonly NamedPreTokenizer Gpt2 = new(() => [new Gpt2Scanner()]);
    static readonly NamedPreTokenizer SmolLm = new(() => [new DigitScanner(1), new Gpt2Scanner()]);
    static readonly NamedPreTokenizer Llama3 = new(() => [new Cl100kScanner(3)], WholeWords: true, AddsBeginOfText: true);
    static readonly NamedPreTokenizer Cl100k = new(() => [new Cl100kScanner(3)]);
    static readonly NamedPreTokenizer Qwen2 = new(() => [new Cl100kScanner(1)], ComposesText: true);
    static readonly NamedPreTokenizer DeepSeekV3 = new(() => [new DigitScanner(3), new CjkScanner(), new DeepSeekScanner()]);

    static readonly Dictionary<string, NamedPreTokenizer> ByName = new()
    {
        ["gpt-2"] = Gpt2,
        ["gpt2"] = Gpt2,
        ["smollm"] = SmolLm,
        ["starcoder"] = SmolLm,
        ["llama-bpe"] = Llama3,
        ["llama3"] = Llama3,
        ["llama-v3"] = Llama3,
        ["dbrx"] = Cl100k,
        ["smaug-bpe"] = Cl100k,
        ["qwen2"] = Qwen2,
        ["deepseek-r1-qwen"] = Qwen2,
        ["deepseek-v3"] = DeepSeekV3,
    };

    public static NamedPreTokenizer Get(string name) => ByName.TryGetValue(name, out var found) ? found : throw new InvalidDataException(
        $"tokenizer.ggml.pre is '{name}', a pre-tokenizer that is not known here; known are {string.Join(", ", ByName.Keys.Order(StringComparer.Ordinal))}. "
        + "Its ids would differ from those the model was trained with, so it is not guessed.");
}
