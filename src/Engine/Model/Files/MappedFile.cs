using System.IO.MemoryMappedFiles;

namespace Serving.Model;

/// <summary>A file mapped read-only into memory for as long as it is not disposed; every access is checked against its length.</summary>
public sealed unsafe class MappedFile : IDisposable
{
    readonly MemoryMappedFile _mapping;
    readonly MemoryMappedViewAccessor _view;
    byte* _start;

    MappedFile(string path, FileStream stream)
    {
        (Path, Length) = (path, stream.Length);
        _mapping = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, false);
        _view = _mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
    }

    /// <summary>The path it was opened by.</summary>
    public string Path { get; }

    /// <summary>Its length in bytes when it was opened.</summary>
    public long Length { get; }

    /// <summary>Maps a file; a missing, unreadable or empty one is a <see cref="CheckpointException"/>.</summary>
    public static MappedFile Open(string path)
    {
        try
        {
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            if (stream.Length > 0)
                return new(path, stream);
            stream.Dispose();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new CheckpointException($"{path} cannot be read: {error.Message}", error);
        }
        throw new CheckpointException($"{path} is empty.");
    }

    /// <summary>The address of <paramref name="length"/> bytes at <paramref name="offset"/>; throws if they leave the file.</summary>
    public nint Address(long offset, long length)
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        return offset >= 0 && length >= 0 && offset <= Length - length
            ? (nint)(_start + offset)
            : throw new CheckpointException($"{Path}: {length} bytes at offset {offset} lie beyond the end of the file at {Length}.");
    }

    /// <summary>A view of <paramref name="length"/> bytes at <paramref name="offset"/>; throws if they leave the file.</summary>
    public ReadOnlySpan<byte> Bytes(long offset, int length) => new((void*)Address(offset, length), length);

    /// <summary>Unmaps the file: tensors on it must not be touched any more.</summary>
    public void Dispose()
    {
        if (_start is null)
            return;
        _start = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _mapping.Dispose();
    }
}
