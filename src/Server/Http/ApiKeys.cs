using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace Serving.Server.Http;

/// <summary>
/// The keys that open the server, kept as SHA-256 hashes: those of the options, and those of a file that may change while the server runs. The file
/// has a key a line, plain or as <c>sha256:</c> and 64 hexadecimal digits; after white space may follow the paths, or beginnings of paths, that it
/// opens, and no others. Lines that begin with # say nothing.
/// </summary>
sealed class ApiKeys
{
    const string Hashed = "sha256:";

    /// <summary>How long a change of the file may go unnoticed.</summary>
    static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    readonly ImmutableArray<ApiKey> _fixed;
    readonly string? _file;
    readonly TimeProvider _time;
    readonly ILogger<ApiKeys> _logger;
    readonly Lock _reading = new();
    volatile ApiKey[] _keys;
    long _read;

    /// <summary>Reads the file for the first time; an <see cref="IOException"/> or <see cref="ArgumentException"/> where that cannot be done.</summary>
    public ApiKeys(ServerOptions options, TimeProvider time, ILogger<ApiKeys> logger)
    {
        (_fixed, _file, _time, _logger) = ([.. options.ApiKeys.Select(key => new ApiKey(Hash(key), []))], options.ApiKeyFile, time, logger);
        _keys = [.. _fixed];
        if (_file is not null)
            _keys = Read(_file);
        _read = time.GetTimestamp();
    }

    /// <summary>Whether a key is asked for at all; a file without keys lets nobody in.</summary>
    public bool AreNeeded => _file is not null || !_fixed.IsEmpty;

    /// <summary>The key that is one of these, or null. Every hash is compared, whatever the first ones say.</summary>
    public ApiKey? Find(string key)
    {
        ReadAgain();
        var given = Hash(key);
        ApiKey? found = null;
        foreach (var known in _keys)
            found = CryptographicOperations.FixedTimeEquals(known.Hash, given) ? known : found;
        return found;
    }

    void ReadAgain()
    {
        if (_file is null || _time.GetElapsedTime(Volatile.Read(ref _read)) < Interval)
            return;
        lock (_reading)
        {
            if (_time.GetElapsedTime(_read) < Interval)
                return;
            Volatile.Write(ref _read, _time.GetTimestamp());
            try
            {
                _keys = Read(_file);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
            {
                ServerLog.KeysNotRead(_logger, _file, error.Message);
            }
        }
    }

    ApiKey[] Read(string file) =>
        [.. _fixed, .. File.ReadLines(file).Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#').Select(line => KeyOf(line, file))];

    static ApiKey KeyOf(string line, string file)
    {
        var words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return Array.Find(words[1..], path => path[0] != '/') is { } wrong
            ? throw new ArgumentException($"{file} has a key that is followed by '{wrong}'; only paths, which begin with /, may follow.")
            : new(HashOf(words[0], file), [.. words[1..]]);
    }

    static byte[] HashOf(string word, string file)
    {
        if (!word.StartsWith(Hashed, StringComparison.Ordinal))
            return Hash(word);
        var hash = new byte[SHA256.HashSizeInBytes];
        var digits = word.AsSpan(Hashed.Length);
        return digits.Length == 2 * hash.Length && System.Buffers.OperationStatus.Done == Convert.FromHexString(digits, hash, out _, out _)
            ? hash
            : throw new ArgumentException($"{file} has a line that begins with {Hashed} and goes on with something else than {2 * hash.Length} hexadecimal digits.");
    }

    static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

/// <summary>A key as it is kept.</summary>
/// <param name="Hash">Its SHA-256 hash.</param>
/// <param name="Paths">What it opens; everything where there are none.</param>
sealed record ApiKey(byte[] Hash, ImmutableArray<string> Paths)
{
    /// <summary>Whether it opens a path: one of its own, or one below it.</summary>
    public bool Opens(PathString path) => Paths.IsEmpty || Paths.Any(own => path.StartsWithSegments(own.TrimEnd('/')));
}
