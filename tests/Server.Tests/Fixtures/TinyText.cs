using System.Text;
using System.Text.Json;
using Serving.Text;
using Serving.Text.Templates;

namespace Serving.Tests;

/// <summary>A tokenizer with one token for each byte (the token's id is the byte) and three special tokens, and a chat template over them.</summary>
static class TinyText
{
    public const int EndOfText = 256, StartOfTurn = 257, EndOfTurn = 258, Vocabulary = 259;

    public const string TemplateSource =
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

    public static readonly Tokenizer Tokenizer = Tokenizer.FromJson(Json(), """{"eos_token": "<|im_end|>"}"""u8);

    public static readonly ChatTemplate Template = ChatTemplate.Parse(TemplateSource);

    static byte[] Json() => JsonSerializer.SerializeToUtf8Bytes(new
    {
        version = "1.0",
        added_tokens = (object[])[Special(EndOfText, "<|endoftext|>"), Special(StartOfTurn, "<|im_start|>"), Special(EndOfTurn, "<|im_end|>")],
        normalizer = (object?)null,
        pre_tokenizer = new { type = "ByteLevel", add_prefix_space = false, trim_offsets = true, use_regex = true },
        post_processor = (object?)null,
        decoder = new { type = "ByteLevel", add_prefix_space = true, trim_offsets = true, use_regex = true },
        model = new { type = "BPE", vocab = Bytes(), merges = Array.Empty<string>() },
    });

    static object Special(int id, string content) =>
        new { id, content, single_word = false, lstrip = false, rstrip = false, normalized = false, special = true };

    /// <summary>Byte-level vocabularies spell a byte as a printable character: itself, or one from 256 on.</summary>
    static Dictionary<string, int> Bytes()
    {
        var spare = 256;
        return Enumerable.Range(0, 256).ToDictionary(
            value => ((Rune)(value is >= 33 and <= 126 or >= 161 and <= 172 or >= 174 ? value : spare++)).ToString(), value => value);
    }
}
