using System.Text.Json;
using System.Xml.Linq;
using Serving.Devices;
using Serving.Server.Bench;
using Serving.Server.Commands;

namespace Serving.Tests;

/// <summary>Benches as tables of numbers and as pictures.</summary>
public sealed class BenchPictureTests
{
    static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    [Fact]
    public void Every_stored_type_norm_and_kind_of_attention_is_measured_beside_the_ceilings()
    {
        using var device = new CpuDevice(1);
        var heard = new List<KernelCost>();
        var costs = KernelMeter.Measure(device, 256, [1, 3], 64, 1, heard.Add);
        Assert.Equal(heard, costs);
        Assert.Equal(2 * Enum.GetValues<StoredType>().Length, costs.Count(cost => cost.Kind == "product"));
        Assert.Equal(4, costs.Count(cost => cost.Kind == "norm"));
        Assert.True(costs.Count(cost => cost.Kind == "attention") >= 10 * Enum.GetValues<CacheType>().Length);
        var product = costs.Single(cost => cost is { Kind: "product", Name: "Q8_0", Rows: 3 });
        Assert.Equal((256 * 8 * 34 + 2 * 4 * 3 * 256L, 2L * 3 * 256 * 256), (product.Bytes, product.Operations));
        Assert.All(costs, cost => Assert.True(cost.Seconds > 0 && cost.ShareOf(new(1e12, 1e12)) > 0));
        var report = new KernelReport(device.Description, 1e10, 1e11, costs);
        Assert.Equal(costs.Count, JsonDocument.Parse(JsonSerializer.Serialize(report, KernelJson.Default.KernelReport)).RootElement.GetProperty("kernels").GetArrayLength());
        Assert.Equal(costs.Count, Bars(BenchPictures.Of(report)));
    }

    [Fact]
    public void A_product_is_set_against_the_ceiling_that_it_comes_nearer_to()
    {
        var cost = new KernelCost("product", "F32", 1, Bytes: 100, Operations: 50, Seconds: 2);
        Assert.Equal((50, 25), (cost.BytesPerSecond, cost.OperationsPerSecond));
        Assert.Equal(0.5, cost.ShareOf(new(100, 100)));
        Assert.Equal(0.25, cost.ShareOf(new(1000, 100)));
    }

    [Fact]
    public void Pictures_have_a_bar_for_every_figure()
    {
        Assert.Equal(3, Bars(BenchPictures.Of(new BenchReport("<m>", "d", 1, 1, 1, [new("decode", 1, 10, 9, 11), new("decode", 8, 60, 50, 70), new("prefill 512", 1, 900, 1, 2)]))));
        var load = new Served("8 clients", 1, 1, 1, 0, 0, 0) { RequestsPerSecond = 1, TokensPerSecond = 0.5, Goodput = 1, FirstToken = new(1, 2, 3), Gap = new(1, 2, 3), Whole = new(1, 2, 3) };
        Assert.Equal(5, Bars(BenchPictures.Of(new ServeReport("u", "m", new(1, 1), [load]))));
        Assert.Equal(2, Bars(BenchPictures.Of([new Compared("a & b", 2, "decode", 32, 1, 20, 10, 2, "f16")])));
    }

    static int Bars(string picture) => XDocument.Parse(picture).Descendants(Svg + "path").Count(path => path.Elements(Svg + "title").Any());
}
