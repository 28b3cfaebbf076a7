using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

public sealed class GgufTypesTests
{
    [Theory]
    [InlineData("q4_0"), InlineData("q4_1"), InlineData("q5_1"), InlineData("q8_0")]
    [InlineData("q4_k"), InlineData("q5_k"), InlineData("q6_k")]
    public void Values_are_those_of_ggml(string type)
    {
        using var model = GgufFile.Open(Fixtures.Path($"gguf/{type}.gguf"));
        using var golden = SafetensorsFile.Open(Fixtures.Path($"gguf/{type}.safetensors"));
        var compared = 0;
        foreach (var (name, expected) in golden.Tensors.Where(tensor => tensor.Key.StartsWith("dequantized.", StringComparison.Ordinal)))
        {
            var stored = model.Tensors[name["dequantized.".Length..]].Slice(0, expected.Rows);
            Assert.Equal(expected.Shape, stored.Shape);
            var (values, wanted) = (RowWidening.Widen(stored), RowWidening.Widen(expected));
            for (var i = 0; i < wanted.Length; i++)
                Assert.True(Math.Abs(values[i] - wanted[i]) <= LastBit(wanted[i]), $"{name} {i}: {values[i]:R} is not {wanted[i]:R}");
            compared++;
        }
        Assert.Equal(2, compared);
    }

    static float LastBit(float value) => MathF.BitIncrement(Math.Abs(value)) - Math.Abs(value);
}
