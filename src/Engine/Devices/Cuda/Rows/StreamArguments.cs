using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>A cached stream as kernels see it (Stream in rows.cuh). A page holds the values of all vectors, group by group, then their scales.</summary>
[StructLayout(LayoutKind.Sequential)]
readonly struct StreamArguments
{
    readonly nint _pages, _open;
    readonly long _pageBytes, _rowBytes, _groupBytes, _scaleOffset;
    readonly int _rowsPerPage, _groups, _width, _stride;
    readonly int _type, _groupWidth, _valueBytes, _scales;

    /// <summary>A stream in its pages.</summary>
    public StreamArguments(in PagedRows stream)
    {
        if (stream.IsEmpty) return;
        (_pages, _open, _pageBytes) = (stream.Address, stream.Open, stream.PageBytes);
        (_rowsPerPage, _groups, _width, _stride) = (stream.RowsPerPage, stream.Groups, stream.Width, stream.Stride);
        _type = (int)stream.Format.Type;
        _groupWidth = stream.Format.GroupWidth(stream.Width);
        _valueBytes = stream.Format.ValueBytes(stream.Width);
        _scales = stream.Format.Scales(stream.Width);
        (_rowBytes, _groupBytes) = (_valueBytes, (long)_valueBytes * _rowsPerPage);
        _scaleOffset = _groupBytes * _groups;
    }

    /// <summary>Vectors of float32 in scratch memory, <paramref name="rowFloats"/> from one row to the next, read like pages of so many rows.</summary>
    public StreamArguments(nint address, int rowFloats, int rowsPerPage, int groups, int width)
    {
        if (width == 0) return;
        (_pages, _rowBytes, _groupBytes) = (address, (long)rowFloats * sizeof(float), (long)width * sizeof(float));
        _pageBytes = _rowBytes * rowsPerPage;
        (_rowsPerPage, _groups, _width, _stride) = (rowsPerPage, groups, width, 1);
        (_type, _groupWidth, _valueBytes) = ((int)CacheType.Float32, width, width * sizeof(float));
    }
}
