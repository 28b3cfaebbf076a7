using System.Text;

namespace Serving.Text;

/// <summary>The 256 characters that spell bytes in byte-level vocabularies: printable Latin-1 stands for itself, the rest for U+0100 onwards.</summary>
static class ByteAlphabet
{
    static readonly char[] Characters = MakeCharacters();
    static readonly short[] Bytes = MakeBytes();

    /// <summary>How a byte-level vocabulary spells these bytes, in UTF-8.</summary>
    public static byte[] Spelling(ReadOnlySpan<byte> bytes)
    {
        var characters = new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
            characters[i] = Characters[bytes[i]];
        return Encoding.UTF8.GetBytes(characters);
    }

    /// <summary>The bytes that a spelling stands for: false, and no bytes, where a character of it is no byte. <paramref name="bytes"/> is as long as the spelling.</summary>
    public static bool TryRead(ReadOnlySpan<byte> spelling, Span<byte> bytes, out int count)
    {
        count = 0;
        for (var at = 0; at < spelling.Length;)
        {
            int character = spelling[at++];
            // Every character of the alphabet above U+007F has two bytes in UTF-8.
            if (character >= 0x80)
                character = at < spelling.Length && character is >= 0xC2 and <= 0xC5 ? (character & 0x1F) << 6 | spelling[at++] & 0x3F : 0;
            if (character >= Bytes.Length || Bytes[character] < 0)
                return false;
            bytes[count++] = (byte)Bytes[character];
        }
        return true;
    }

    static char[] MakeCharacters()
    {
        var characters = new char[256];
        var next = '\u0100';
        for (var b = 0; b < 256; b++)
            characters[b] = b is >= 0x21 and <= 0x7E or >= 0xA1 and <= 0xAC or >= 0xAE ? (char)b : next++;
        return characters;
    }

    static short[] MakeBytes()
    {
        var bytes = new short[Characters.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (var b = 0; b < 256; b++)
            bytes[Characters[b]] = (short)b;
        return bytes;
    }
}

/// <summary>Tokens that spell one byte as <c>&lt;0x0A&gt;</c>.</summary>
static class ByteTokens
{
    public static int Find(Vocabulary vocabulary, byte value) => vocabulary.Find($"<0x{value:X2}>");

    /// <summary>The byte a token such as <c>&lt;0x0A&gt;</c> spells.</summary>
    public static bool TryRead(ReadOnlySpan<byte> spelling, out byte value)
    {
        value = 0;
        return spelling.Length == 6 && spelling.StartsWith("<0x"u8) && spelling[5] == '>'
            && System.Buffers.Text.Utf8Parser.TryParse(spelling[3..5], out value, out var read, 'X') && read == 2;
    }
}
