using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace Serving.Server.Http;

/// <summary>
/// The keys that open the server, kept as SHA-256 hashes: those of the options, and those of a file that may change while the server runs. The file
/// has a key a line, plain or as <c>sha256:</c> and 64 hexadecimal digits; lines that begin with # say nothing.
/// </summary>
sealed class ApiKeys
{
    const string Hashed = "sha256:";

    /// <summary>How long a change of the file may go unnoticed.</summary>
    static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    readonly ImmutableArray<byte[]> _fixed;
    readonly string? _file;
    readonly TimeProvider _time;
    readonly ILogger<ApiKeys> _logger;
    readonly Lock _reading = new();
    volatile byte[][] _hashes;
    long _read;

    /// <summary>Reads the file for the first time; an <see cref="IOException"/> or <see cref="ArgumentException"/> where that cannot be done.</summary>
    public ApiKeys(ServerOptions options, TimeProvider time, ILogger<ApiKeys> logger)
    {
        (_fixed, _file, _time, _logger) = ([.. options.ApiKeys.Select(Hash)], options.ApiKeyFile, time, logger);
        _hashes = [.. _fixed];
        if (_file is not null)
            _hashes = Read(_file);
        _read = time.GetTimestamp();
    }

    /// <summary>Whether a key is asked for at all; a file without keys lets nobody in.</summary>
    public bool AreNeeded => _file is not null || !_fixed.IsEmpty;

    /// <summary>The hash of a key that is one of these, or null. Every hash is compared, whatever the first ones say.</summary>
    public byte[]? Find(string key)
    {
        ReadAgain();
        var given = Hash(key);
        var isKnown = false;
        foreach (var hash in _hashes)
            isKnown |= CryptographicOperations.FixedTimeEquals(hash, given);
        return isKnown ? given : null;
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
                _hashes = Read(_file);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
            {
                ServerLog.KeysNotRead(_logger, _file, error.Message);
            }
        }
    }

    byte[][] Read(string file) =>
        [.. _fixed, .. File.ReadLines(file).Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#').Select(line => KeyOf(line, file))];

    static byte[] KeyOf(string line, string file)
    {
        if (!line.StartsWith(Hashed, StringComparison.Ordinal))
            return Hash(line);
        var hash = new byte[SHA256.HashSizeInBytes];
        var digits = line.AsSpan(Hashed.Length);
        return digits.Length == 2 * hash.Length && System.Buffers.OperationStatus.Done == Convert.FromHexString(digits, hash, out _, out _)
            ? hash
            : throw new ArgumentException($"{file} has a line that begins with {Hashed} and goes on with something else than {2 * hash.Length} hexadecimal digits.");
    }

    static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
