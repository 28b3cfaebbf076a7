namespace Serving.Text;

/// <summary>What a token of a vocabulary is for; the numbers are those of GGUF's <c>tokenizer.ggml.token_type</c>.</summary>
public enum TokenKind : byte
{
    /// <summary>No token has this id.</summary>
    Missing = 0,
    /// <summary>Ordinary text.</summary>
    Normal = 1,
    /// <summary>Stands for text that the vocabulary cannot spell.</summary>
    Unknown = 2,
    /// <summary>Structure of a prompt, never text: beginnings, ends, roles.</summary>
    Control = 3,
    /// <summary>Text that is always one token.</summary>
    UserDefined = 4,
    /// <summary>A piece the trainer left out of use.</summary>
    Unused = 5,
    /// <summary>One byte, spelled <c>&lt;0x0A&gt;</c>.</summary>
    Byte = 6,
}
