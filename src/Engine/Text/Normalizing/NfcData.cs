using System.Globalization;

namespace Serving.Text;

/// <summary>Combining classes and canonical mappings, read from the resource <c>nfc.txt</c> when a text first needs them.</summary>
static class NfcData
{
    static readonly Dictionary<int, byte> Classes = [];
    static readonly Dictionary<int, (int First, int Second)> Mappings = [];
    static readonly Dictionary<(int, int), int> Compositions = [];

    static NfcData()
    {
        using var lines = new StreamReader(typeof(NfcData).Assembly.GetManifestResourceStream("Serving.Text.nfc.txt")!);
        while (lines.ReadLine() is { } line)
            if (line.Split(' ') is [var kind, .. var fields] && kind != "#")
                Read(kind, fields);
    }

    public static byte Class(int codePoint) => Classes.GetValueOrDefault(codePoint);

    /// <summary>What a code point is made of; the second is 0 where one code point stands for another.</summary>
    public static (int First, int Second)? Mapping(int codePoint) => Mappings.TryGetValue(codePoint, out var mapping) ? mapping : null;

    public static int? Composition(int first, int second) => Compositions.TryGetValue((first, second), out var composed) ? composed : null;

    static void Read(string kind, string[] fields)
    {
        if (kind == "c")
        {
            for (var codePoint = Hex(fields[0]); codePoint <= Hex(fields[1]); codePoint++)
                Classes[codePoint] = byte.Parse(fields[2], CultureInfo.InvariantCulture);
            return;
        }
        var mapping = (First: Hex(fields[1]), Second: fields.Length > 2 ? Hex(fields[2]) : 0);
        Mappings[Hex(fields[0])] = mapping;
        if (kind == "d")
            Compositions[mapping] = Hex(fields[0]);
    }

    static int Hex(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
