namespace Serving.Model;

/// <summary>The types a GGUF metadata value can have, numbered as in the file.</summary>
enum GgufKind : uint
{
    UInt8,
    Int8,
    UInt16,
    Int16,
    UInt32,
    Int32,
    Float32,
    Bool,
    Text,
    Array,
    UInt64,
    Int64,
    Float64,
}

/// <summary>Where a metadata value lies; arrays (a vocabulary) are decoded when somebody asks.</summary>
readonly record struct GgufValue(GgufKind Kind, long Offset, GgufKind ElementKind = GgufKind.UInt8, long Count = 1)
{
    const int DeepestArray = 4;

    static readonly int[] Sizes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

    /// <summary>Reads the type at the cursor and steps over the value, checking all of it against the file.</summary>
    public static GgufValue Read(FileCursor cursor) => Step(cursor, ReadKind(cursor), 0);

    /// <summary>Bytes of one value of a fixed size; 0 for texts and arrays.</summary>
    public static int SizeOf(GgufKind kind) => Sizes[(int)kind];

    static GgufKind ReadKind(FileCursor cursor)
    {
        var at = cursor.Position;
        var kind = cursor.UInt32();
        return kind < Sizes.Length
            ? (GgufKind)kind
            : throw cursor.Error(at, $"metadata type {kind} is unknown; 0 to {Sizes.Length - 1} are read");
    }

    static GgufValue Step(FileCursor cursor, GgufKind kind, int depth)
    {
        var at = cursor.Position;
        if (kind == GgufKind.Array)
            return StepArray(cursor, depth);
        if (kind == GgufKind.Text)
            cursor.SkipTexts(1);
        else
            cursor.Skip(SizeOf(kind), "a metadata value");
        return new(kind, at);
    }

    static GgufValue StepArray(FileCursor cursor, int depth)
    {
        if (depth == DeepestArray)
            throw cursor.Error(cursor.Position, $"metadata arrays are nested deeper than {DeepestArray}");
        var kind = ReadKind(cursor);
        var size = SizeOf(kind);
        var count = cursor.Count("array elements", size > 0 ? size : kind == GgufKind.Text ? 8 : 12);
        var start = cursor.Position;
        if (size > 0)
            cursor.Skip(count * size, "an array");
        else if (kind == GgufKind.Text)
            cursor.SkipTexts(count);
        else
            for (var i = 0L; i < count; i++)
                Step(cursor, kind, depth + 1);
        return new(GgufKind.Array, start, kind, count);
    }
}
