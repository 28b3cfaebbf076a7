using System.Text;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

public sealed class SafetensorsFileTests
{
    const string Half = """{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}""";

    [Fact]
    public void Shapes_types_and_values_come_back()
    {
        using var folder = new TemporaryFolder();
        byte[] data = [0, 0x3C, 0, 0xC0, 0, 0x38, 0, 0, 0, 0, 0, 0x7B, 0x80, 0x3F, 0x00, 0xC0, 5, 0, 0, 0, 0, 0, 0, 0];
        using var file = SafetensorsFile.Open(folder.Write("m.safetensors", Bytes(
            "{\"__metadata__\":{\"format\":\"pt\"},\"h\":" + Half
            + ",\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[12,16]},"
            + "\"i\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[16,24]}}", data)));
        Assert.Equal([1, -2, 0.5f, 0, 0, 57344], RowWidening.Widen(file.Tensors["h"]));
        Assert.Equal([1, -2], RowWidening.Widen(file.Tensors["b"]));
        Assert.Equal([5], file.Int64("i"));
        Assert.Equal(("i", "I64"), file.Unserved.Select(entry => (entry.Key, entry.Value)).Single());
    }

    [Theory]
    [InlineData(
        """{"h":{"dtype":"F99","shape":[2,3],"data_offsets":[0,12]}}""",
        "tensor h: dtype F99 is unknown; known are F32, F16, BF16")]
    [InlineData(
        """{"h":{"dtype":"F32","shape":[2,3],"data_offsets":[0,12]}}""",
        "tensor h: F32 [2,3] takes 24 bytes, but data_offsets [0,12] hold 12")]
    [InlineData(
        """{"h":{"dtype":"F16","shape":[2,3],"data_offsets":[12,0]}}""",
        "data_offsets [12,0] are not a range within the 12 bytes of data")]
    [InlineData(
        """{"h":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]}}""",
        "data_offsets [4,16] are not a range within the 12 bytes of data")]
    [InlineData("""{"h":{"dtype":"F16","shape":[-2,3],"data_offsets":[0,12]}}""", "shape [-2,3] is not a list of at most 8 sizes")]
    [InlineData("""{"h":{"dtype":"F16","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,12]}}""", "is larger than any file")]
    [InlineData("""{"h":{"dtype":"F16","shape":[2147483647,2147483647,0],"data_offsets":[0,0]}}""", "is larger than any file")]
    [InlineData("""{"h":{"shape":[2,3],"data_offsets":[0,12]}}""", "tensor h: an object with dtype, shape and data_offsets is expected")]
    [InlineData(
        """{"h":{"dtype":"F16","shape":[3],"data_offsets":[0,6]},"g":{"dtype":"F16","shape":[3],"data_offsets":[4,10]}}""",
        "tensors h [0, 6) and g [4, 10) overlap")]
    [InlineData(
        """{"h":{"dtype":"F16","shape":[3],"data_offsets":[6,12]}}""",
        "bytes 0 to 6 of the data, before tensor h, belong to no tensor")]
    [InlineData(
        """{"h":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}}""",
        "the tensors take 6 bytes, but the file has 12 bytes of data")]
    [InlineData("""[1]""", "header: a JSON object is expected, not Array")]
    [InlineData("""{"h":1,"h":2}""", "header: not valid JSON")]
    [InlineData("""{"\uD800":1}""", "header: not valid JSON")]
    public void A_header_that_lies_is_refused_with_the_reason(string header, string reason) => Refuses(Bytes(header, new byte[12]), reason);

    [Fact]
    public void A_header_longer_than_the_file_is_refused() =>
        Refuses(
            [255, 255, 255, 255, 255, 255, 255, 127, 1, 2],
            "offset 0: says 9223372036854775807 bytes of header, but the 2 bytes that follow");

    [Fact]
    public void A_header_nested_too_deep_is_refused() => Refuses(Bytes(new string('[', 100_000), []), "header: not valid JSON");

    [Fact]
    public void A_shard_that_the_index_misnames_is_refused()
    {
        using var folder = new TemporaryFolder();
        folder.Write("a.safetensors", Bytes("{\"h\":" + Half + "}", new byte[12]));
        Assert.Equal(["h"], Open("""{"weight_map":{"h":"a.safetensors"}}"""));
        Assert.Contains("tensor g should stand in a.safetensors, but does not", Refused("""{"weight_map":{"g":"a.safetensors"}}"""));
        Assert.Contains("the name of a file beside the index is expected", Refused("""{"weight_map":{"h":"../a.safetensors"}}"""));
        Assert.Contains("b.safetensors cannot be read", Refused("""{"weight_map":{"h":"b.safetensors"}}"""));
        Assert.Contains("weight_map, an object of tensor names to files, is missing", Refused("{}"));
        File.Copy(Path.Combine(folder.Path, "a.safetensors"), Path.Combine(folder.Path, "c.safetensors"));
        Assert.Contains("tensor h stands in another shard too", Refused("""{"weight_map":{"h":"a.safetensors","g":"c.safetensors"}}"""));

        List<string> Open(string index)
        {
            folder.Write("model.safetensors.index.json", index);
            using var shards = SafetensorsShards.Open(folder.Path);
            return [.. shards.Tensors.Keys];
        }

        string Refused(string index) => Assert.Throws<CheckpointException>(() => Open(index)).Message;
    }

    internal static byte[] Bytes(string header, byte[] data)
    {
        var json = Encoding.UTF8.GetBytes(header);
        return [.. BitConverter.GetBytes((long)json.Length), .. json, .. data];
    }

    static void Refuses(byte[] bytes, string reason)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("m.safetensors", bytes);
        var error = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path).Dispose());
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message);
    }
}
