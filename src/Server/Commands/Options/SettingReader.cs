using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;

namespace Serving.Server.Commands;

/// <summary>The values of settings: a flag goes before the environment, the environment before the file, the file before the default.</summary>
sealed class SettingReader
{
    readonly IReadOnlyDictionary<string, string[]> _flags;
    readonly Func<string, string?> _environment;
    readonly Dictionary<string, string[]> _file = [];
    readonly string? _filePath;

    /// <param name="flags">Values of the command line by setting name.</param>
    /// <param name="environment">The environment, by variable name.</param>
    public SettingReader(IReadOnlyDictionary<string, string[]> flags, Func<string, string?> environment)
    {
        (_flags, _environment) = (flags, environment);
        _filePath = Text(Settings.Config);
        if (_filePath is not null)
            ReadFile(_filePath);
    }

    public string? Text(Setting setting) => Find(setting).Values is [.., var last] ? last : null;

    public ImmutableArray<string> List(Setting setting) => [.. Find(setting).Values];

    public bool Switch(Setting setting) => Read(setting, text => text.ToUpperInvariant() switch
    {
        "TRUE" or "1" or "YES" or "ON" or "" => true,
        "FALSE" or "0" or "NO" or "OFF" => false,
        _ => (bool?)null,
    }, "true or false")!.Value;

    public string OneOf(Setting setting, params string[] values) =>
        Read(setting, text => values.Contains(text, StringComparer.OrdinalIgnoreCase) ? text.ToLowerInvariant() : null, string.Join(", ", values))!;

    /// <summary>A name that another knows: its usual form, or null where it is none.</summary>
    public string Named(Setting setting, Func<string, string?> name, string expected) => Read(setting, name, expected)!;

    public long? Long(Setting setting, long min, long max) => Read(setting,
        text => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n) && n >= min && n <= max ? n : (long?)null,
        max is int.MaxValue or long.MaxValue ? $"a whole number of at least {min}" : $"a whole number from {min} to {max}");

    public int? Integer(Setting setting, int min, int max = int.MaxValue) => (int?)Long(setting, min, max);

    /// <summary>A number of bytes, plain or with a unit: K, KB, KiB and so on are powers of 1024.</summary>
    public long? Bytes(Setting setting) => Read(setting, ParseBytes, "a number of bytes such as 2147483648, 512MiB or 2G");

    static long? ParseBytes(string text)
    {
        var digits = text.TrimEnd("KMGTiBkmgtb ".ToCharArray());
        var unit = text[digits.Length..].Trim().ToUpperInvariant().Replace("IB", "").TrimEnd('B');
        var shift = unit switch { "" => 0, "K" => 10, "M" => 20, "G" => 30, "T" => 40, _ => -1 };
        return shift >= 0 && decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            && number < long.MaxValue >> shift
            ? (long)(number * (1L << shift))
            : null;
    }

    T? Read<T>(Setting setting, Func<string, T?> parse, string expected)
    {
        var (values, source) = Find(setting);
        if (values is not [.., var text])
            return default;
        return parse(text) ?? throw new SettingException($"{source} is '{text}'; it must be {expected}.");
    }

    (string[] Values, string Source) Find(Setting setting)
    {
        if (_flags.TryGetValue(setting.Name, out var given))
            return (given, setting.Flag);
        if (_environment(setting.Variable) is { Length: > 0 } variable)
            return (setting.IsList ? variable.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : [variable], setting.Variable);
        if (_file.TryGetValue(setting.Name, out var values))
            return (values, $"'{setting.Name}' in {_filePath}");
        return (setting.Default is { } text ? [text] : [], setting.Flag);
    }

    void ReadFile(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new SettingException($"{path} must hold one JSON object of settings.");
            foreach (var member in document.RootElement.EnumerateObject())
                _file[Known(member.Name, path).Name] = Values(member.Value);
        }
        catch (JsonException error)
        {
            throw new SettingException($"{path} is not JSON: line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new SettingException($"The settings file cannot be read: {error.Message}");
        }
    }

    static Setting Known(string name, string path) => Settings.Find(name) ?? throw new SettingException(
        $"{path} names the unknown setting '{name}'." + (Settings.Nearest(name, Settings.All.Select(s => s.Name)) is { } near ? $" Did you mean '{near}'?" : ""));

    static string[] Values(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => [.. value.EnumerateArray().Select(item => item.ToString())],
        JsonValueKind.Null => [],
        _ => [value.ToString()],
    };
}
