namespace Serving.Text;

/// <summary>What a GGUF pre-tokenizer name stands for.</summary>
/// <param name="Splitters">How words are cut.</param>
sealed record NamedPreTokenizer(params Func<Splitter>[] Splitters)
{
    /// <summary>A word that is a token is taken whole.</summary>
    public bool WholeWords { get; init; }

    /// <summary>The text is normalised to NFC first.</summary>
    public bool ComposesText { get; init; }

    /// <summary>What holds where the file does not say whether a text gets its first token.</summary>
    public bool AddsBeginOfText { get; init; }
}

/// <summary>The pre-tokenizers by the names that GGUF files carry in <c>tokenizer.ggml.pre</c>: llama.cpp's names, with the patterns of the models' own tokenizer.json.</summary>
static class PreTokenizers
{
    const string English = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    const string Rest = @" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    const string CasedLetters = "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDB"
        + "ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃";

    static readonly NamedPreTokenizer Gpt2 = new(() => new Gpt2Scanner());
    static readonly NamedPreTokenizer LlamaCpp = new(
        Expression(@"[\p{P}\$\+<=>\^~\|]+"), () => new Gpt2Scanner(), () => new DigitScanner(int.MaxValue), Expression("[0-9][0-9][0-9]"));
    static readonly NamedPreTokenizer DigitsThenGpt2 = new(() => new DigitScanner(1), () => new Gpt2Scanner());
    static readonly NamedPreTokenizer Cl100k = new(() => new Cl100kScanner(3));
    static readonly NamedPreTokenizer Llama3 = Cl100k with { WholeWords = true, AddsBeginOfText = true };
    static readonly NamedPreTokenizer Qwen2 = new(() => new Cl100kScanner(1)) { ComposesText = true };
    static readonly NamedPreTokenizer DeepSeekV3 = new(() => new DigitScanner(3), () => new CjkScanner(), () => new DeepSeekScanner());
    static readonly NamedPreTokenizer DeepSeekLlm = new(
        Expression("[\r\n]"), Expression($@"\s?[{CasedLetters}]+"), Expression(@"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+"), Expression(@"\s+$"),
        Expression("[一-龥\u0800-一가-\uD7FF]+"), () => new DigitScanner(1));
    static readonly NamedPreTokenizer DeepSeekCoder = new(
        Expression("[\r\n]"), Expression(@"\s?\p{L}+"), Expression(@"\s?\p{P}+"), Expression("[一-龥\u0800-一가-\uD7FF]+"), () => new DigitScanner(1));
    static readonly NamedPreTokenizer Tekken = new(Expression(
        $@"[^\r\n\p{{L}}\p{{N}}]?{Upper}*{Lower}+|[^\r\n\p{{L}}\p{{N}}]?{Upper}+{Lower}*|\p{{N}}|{Rest}")) { WholeWords = true, AddsBeginOfText = true };
    static readonly NamedPreTokenizer Gpt4o = new(Expression(
        $@"[^\r\n\p{{L}}\p{{N}}]?{Upper}*{Lower}+{English}?|[^\r\n\p{{L}}\p{{N}}]?{Upper}+{Lower}*{English}?|\p{{N}}{{1,3}}|{Rest}"));

    static readonly Dictionary<string, NamedPreTokenizer> ByName = new()
    {
        ["default"] = LlamaCpp,
        ["gpt-2"] = Gpt2,
        ["gpt2"] = Gpt2,
        ["olmo"] = Gpt2,
        ["smollm"] = DigitsThenGpt2,
        ["starcoder"] = DigitsThenGpt2,
        ["refact"] = DigitsThenGpt2,
        ["codeshell"] = DigitsThenGpt2,
        ["llama-bpe"] = Llama3,
        ["llama3"] = Llama3,
        ["llama-v3"] = Llama3,
        ["dbrx"] = Cl100k,
        ["smaug-bpe"] = Cl100k,
        ["qwen2"] = Qwen2,
        ["deepseek-r1-qwen"] = Qwen2,
        ["deepseek-v3"] = DeepSeekV3,
        ["deepseek-llm"] = DeepSeekLlm,
        ["deepseek-coder"] = DeepSeekCoder,
        ["tekken"] = Tekken,
        ["gpt-4o"] = Gpt4o,
    };

    public static IEnumerable<string> Names => ByName.Keys.Order(StringComparer.Ordinal);

    /// <summary>The pre-tokenizer of a name; an unknown name, or none, is refused with the list of those known.</summary>
    public static NamedPreTokenizer Get(string? name) => ByName.TryGetValue(name ?? "", out var found) ? found : throw new InvalidDataException(
        $"tokenizer.ggml.pre is {(name is null ? "absent" : $"'{name}'")}; known pre-tokenizers are {string.Join(", ", Names)}. "
        + "Another would give other ids than the model was trained with, so none is guessed.");

    static Func<Splitter> Expression(string pattern) => () => Splits.ByExpression(pattern, SplitBehavior.Isolated, "tokenizer.ggml.pre");
}
