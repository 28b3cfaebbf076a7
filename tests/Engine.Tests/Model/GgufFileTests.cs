using Serving.Devices;
using Serving.Model;

namespace Serving.Tests;

public sealed class GgufFileTests
{
    /// <summary>What is wrong, how to make it, and what the error says.</summary>
    public static TheoryData<string, string> Lies => new()
    {
        { "magic", "offset 0: a GGUF file begins with the bytes GGUF, this one with 0x46465558" },
        { "version 1", "offset 4: GGUF version 1 is not read" },
        { "big endian", "version 50331648 is that of a big-endian file" },
        { "tensor count", "offset 8: says 1000000 tensors, but the" },
        { "huge tensor count", "offset 8: says 18446744073709551615 tensors" },
        { "pair count", "metadata pairs, but the" },
        { "key twice", "metadata key general.name stands in the file twice" },
        { "unknown metadata type", "metadata type 13 is unknown; 0 to 12 are read" },
        { "array count", "says 4611686018427387904 array elements" },
        { "deep arrays", "metadata arrays are nested deeper than 4" },
        { "long text", "text 0 of 1 does not fit" },
        { "alignment", "general.alignment is 12; a power of two from 8 to 65536 is expected" },
        { "tensor twice", "tensor a stands in the file twice" },
        { "unknown type", "tensor a is stored as type 99, which is unknown; served are F32, F16" },
        { "unserved type", "tensor a is stored as type IQ4_XS (23); served are" },
        { "no dimensions", "tensor a has 0 dimensions; 1 to 4 are expected" },
        { "zero dimension", "tensor a has a dimension of 0" },
        { "huge dimension", "tensor a has a dimension of 18446744073709551615" },
        { "overflow", "tensor a F32 [2147483647, 2147483647, 2147483647, 2147483647] is larger than any file" },
        { "broken blocks", "tensor a has rows of 33 values, which do not fill whole Q8_0 blocks of 32" },
        { "unaligned offset", "tensor a lies at 4, which is no multiple of the alignment 32" },
        { "huge offset", "tensor a says it lies at 18446744073709551584, beyond any file" },
        { "beyond the end", "tensor b takes bytes 64 to 192 of the data, which ends at 160: the file is cut short or damaged" },
        { "overlap", "tensors a [0, 128) and b [32, 160) overlap" },
        { "cut short", "but the file ends after" },
    };

    [Theory, MemberData(nameof(Lies))]
    public void A_header_that_lies_is_refused_with_the_reason(string lie, string reason)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("model.gguf", Tell(lie));
        var error = Assert.Throws<CheckpointException>(() => GgufFile.Open(path).Dispose());
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void Values_of_every_type_come_back()
    {
        using var folder = new TemporaryFolder();
        var bytes = new GgufBytes()
            .Pair("u8", 0, w => w.Write((byte)200)).Pair("i8", 1, w => w.Write((sbyte)-5))
            .UInt16("u16", 65535).Pair("i16", 3, w => w.Write((short)-300))
            .UInt32("u32", uint.MaxValue).Pair("i32", 5, w => w.Write(-70000))
            .Float32("f32", 0.5f).Pair("bool", 7, w => w.Write(true)).Text("text", "héllo")
            .Pair("u64", 10, w => w.Write(long.MaxValue)).Pair("i64", 11, w => w.Write(-1L))
            .Pair("f64", 12, w => w.Write(1e-9)).Texts("texts", "a", "", "ccc")
            .Pair("ints", 9, w => { w.Write(5u); w.Write(2ul); w.Write(-1); w.Write(7); })
            .Pair("nested", 9, w => { w.Write(9u); w.Write(1ul); w.Write(8u); w.Write(1ul); w.Write(1ul); w.Write((byte)'x'); })
            .Text("after", "end").ToArray();
        using var file = GgufFile.Open(folder.Write("m.gguf", bytes));
        var m = file.Metadata;
        Assert.Equal([200, -5, 65535, -300, uint.MaxValue, -70000, long.MaxValue, -1],
            ((string[])["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64"]).Select(key => m.Int(key)!.Value));
        Assert.Equal((0.5, 1e-9, true, "héllo", "end"), (m.Float("f32"), m.Float("f64"), m.Bool("bool"), m.Text("text"), m.Text("after")));
        Assert.Equal(["a", "", "ccc"], m.Texts("texts")!);
        Assert.Equal([-1, 7], m.Ints("ints")!);
        Assert.Null(m.Int("absent"));
        var error = Assert.Throws<CheckpointException>(() => m.Int("text"));
        Assert.Contains("metadata key text is a Text; expected a whole number", error.Message);
    }

    [Fact]
    public void Shapes_are_turned_round()
    {
        using var folder = new TemporaryFolder();
        using var file = GgufFile.Open(folder.Write("m.gguf", new GgufBytes().Tensor("experts", [64, 3, 2], 8, 68 * 6).ToArray()));
        var tensor = file.Tensors["experts"];
        Assert.Equal(("Q8_0 [2, 3, 64]", StoredType.Q8_0), (tensor.Describe(), tensor.Type));
        Assert.Equal(2 * 68, tensor.Row(2)[0]);
    }

    [Fact]
    public void Parts_that_disagree_are_refused()
    {
        using var folder = new TemporaryFolder();
        byte[] Part(ushort number, ushort count, string tensor) =>
            new GgufBytes().UInt16("split.no", number).UInt16("split.count", count).Tensor(tensor, [8], 0, 32).ToArray();
        folder.Write("m-00001-of-00002.gguf", Part(0, 2, "a"));
        var second = folder.Write("m-00002-of-00002.gguf", Part(1, 2, "b"));
        Assert.Equal(["a", "b"], Open().Order());
        folder.Write("m-00002-of-00002.gguf", Part(1, 2, "a"));
        Assert.Contains("tensor a stands in an earlier part too", Refused());
        folder.Write("m-00002-of-00002.gguf", Part(0, 2, "b"));
        Assert.Contains("split.no is 0; its name and the other parts say 1", Refused());
        File.Delete(second);
        Assert.Contains("m-00002-of-00002.gguf cannot be read", Refused());

        List<string> Open()
        {
            using var parts = GgufParts.Open(GgufParts.FindIn(folder.Path)!);
            return [.. parts.Tensors.Keys];
        }

        string Refused() => Assert.Throws<CheckpointException>(Open).Message;
    }

    [Fact]
    public void A_folder_with_two_models_asks_for_one_of_them()
    {
        using var folder = new TemporaryFolder();
        folder.Write("a.gguf", new GgufBytes().ToArray());
        folder.Write("b.gguf", new GgufBytes().ToArray());
        Assert.Contains(
            "has 2 models; name one of them: a.gguf, b.gguf",
            Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Message);
    }

    static byte[] Tell(string lie)
    {
        var file = new GgufBytes().Text("general.name", "tiny");
        GgufBytes A(ulong[] sizes, uint type, int bytes = 128, ulong? offset = null) => file.Tensor("a", sizes, type, bytes, offset);
        void Arrays(BinaryWriter writer, int depth)
        {
            writer.Write(depth == 0 ? 4u : 9u);
            writer.Write(1ul);
            if (depth > 0)
                Arrays(writer, depth - 1);
            else
                writer.Write(1u);
        }

        switch (lie)
        {
            case "magic": file.Magic = 0x46465558; break;
            case "version 1": file.Version = 1; break;
            case "big endian": file.Version = 0x03000000; break;
            case "tensor count": file.Tensors = 1_000_000; break;
            case "huge tensor count": file.Tensors = ulong.MaxValue; break;
            case "pair count": file.Pairs = ulong.MaxValue / 2; break;
            case "key twice": file.Text("general.name", "again"); break;
            case "unknown metadata type": file.Pair("x", 13, writer => writer.Write(0ul)); break;
            case "array count": file.Pair("x", 9, writer => { writer.Write(4u); writer.Write(1ul << 62); }); break;
            case "deep arrays": file.Pair("x", 9, writer => Arrays(writer, 6)); break;
            case "long text": file.Pair("x", 8, writer => writer.Write(1ul << 40)); break;
            case "alignment": file.UInt32("general.alignment", 12); break;
            case "tensor twice": A([32], 0).Tensor("a", [32], 0, 128); break;
            case "unknown type": A([32], 99); break;
            case "unserved type": A([256], 23); break;
            case "no dimensions": A([], 0); break;
            case "zero dimension": A([32, 0], 0); break;
            case "huge dimension": A([ulong.MaxValue], 0); break;
            case "overflow": A([int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue], 0); break;
            case "broken blocks": A([33], 8); break;
            case "unaligned offset": A([8], 0, offset: 4); break;
            case "huge offset": A([8], 0, offset: ulong.MaxValue - 31); break;
            case "beyond the end": A([16], 0, 64).Tensor("b", [32], 0, 96); break;
            case "overlap": A([32], 0).Tensor("b", [32], 0, 128, 32); break;
            case "cut short": return A([32], 0).ToArray()[..70];
            default: throw new ArgumentOutOfRangeException(nameof(lie));
        }
        return file.ToArray();
    }
}
