using System.Security.Cryptography;

namespace Serving.Devices.Cuda;

/// <summary>
/// A compiled source in the cache folder: its digest, then its bytes. What is damaged reads as absent, and a folder that cannot be written
/// only means that the next start compiles again.
/// </summary>
sealed class KeptImage(string folder, string source, string key)
{
    readonly string _path = Path.Combine(folder, $"{Path.GetFileNameWithoutExtension(source)}-{key}.cubin");

    /// <summary>The image, or null.</summary>
    public byte[]? Read()
    {
        try
        {
            var file = File.ReadAllBytes(_path);
            return file.Length > SHA256.HashSizeInBytes && SHA256.HashData(file.AsSpan(SHA256.HashSizeInBytes)).AsSpan().SequenceEqual(file.AsSpan(0, SHA256.HashSizeInBytes))
                ? file[SHA256.HashSizeInBytes..]
                : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Keeps an image; other processes see all of it or nothing.</summary>
    public void Write(byte[] image)
    {
        try
        {
            Directory.CreateDirectory(folder);
            var written = $"{_path}.{Environment.ProcessId}";
            File.WriteAllBytes(written, [.. SHA256.HashData(image), .. image]);
            File.Move(written, _path, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
        }
    }

    /// <summary>Forgets it; false where there was none.</summary>
    public bool Delete()
    {
        try
        {
            if (!File.Exists(_path)) return false;
            File.Delete(_path);
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
