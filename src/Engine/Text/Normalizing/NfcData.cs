using System.Globalization;

namespace Serving.Text;

/// <summary>Combining classes and canonical mappings, read from the resource <c>nfc.txt</c> when a text first needs them.</summary>
static class NfcData
{
    static readonly Dictionary<int, byte> Classes = [];
    static readonly Dictionary<int, (int First, int Second)> Mappings = [];
    static readonly Dictionary<(int, int), int> Compositions = [];

    // A character that is composed already, begins a cluster, and joins nothing before it: a text of such characters is in NFC.
    static readonly bool[] Alone = new bool[0x30000];

    static NfcData()
    {
        Array.Fill(Alone, true);
        Array.Fill(Alone, false, Hangul.FirstVowel, Hangul.EndOfTails - Hangul.FirstVowel);
        using var lines = new StreamReader(typeof(NfcData).Assembly.GetManifestResourceStream("Serving.Text.nfc.txt")!);
        while (lines.ReadLine() is { } line)
            if (line.Split(' ') is [var kind, .. var fields] && kind != "#")
                Read(kind, fields);
    }

    /// <summary>Whether NFC leaves a code point as it is, whatever stands before it.</summary>
    public static bool StaysAlone(int codePoint) => codePoint < 0x300 || codePoint >= Alone.Length || Alone[codePoint];

    public static byte Class(int codePoint) => Classes.GetValueOrDefault(codePoint);

    /// <summary>What a code point is made of; the second is 0 where one code point stands for another.</summary>
    public static (int First, int Second)? Mapping(int codePoint) => Mappings.TryGetValue(codePoint, out var mapping) ? mapping : null;

    public static int? Composition(int first, int second) => Compositions.TryGetValue((first, second), out var composed) ? composed : null;

    static void Read(string kind, string[] fields)
    {
        if (kind == "c")
        {
            for (var codePoint = Hex(fields[0]); codePoint <= Hex(fields[1]); codePoint++)
                (Classes[codePoint], Alone[codePoint]) = (byte.Parse(fields[2], CultureInfo.InvariantCulture), false);
            return;
        }
        var mapping = (First: Hex(fields[1]), Second: fields.Length > 2 ? Hex(fields[2]) : 0);
        Mappings[Hex(fields[0])] = mapping;
        if (kind == "d")
            (Compositions[mapping], Alone[mapping.Second]) = (Hex(fields[0]), false);
        else
            Alone[Hex(fields[0])] = false;
    }

    static int Hex(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
