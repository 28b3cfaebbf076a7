using Serving.Attention;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>What a token leaves in the cache of each layer, against the schemes' own arithmetic.</summary>
public sealed class CachedElementsTests
{
    const string Table = """
        care 37 27 25
        care_joint 32 32 32
        cca 48 48 48
        eg_mla 32 32 32
        eg_mla_head 32 32 32
        eg_mla_latent 32 32 32
        eg_mla_split 32 32 32
        gla 42 42 42
        gta 42 42 42
        kha_linear 60 60 60
        kha_mla 32 32 32
        kha_mlp 60 60 60
        kv_head_svd 40 40 40
        lrkv 74 74 74
        lrkv_rope_shared 74 74 74
        mfa_kr 14 14 14
        mfa_kr_rotated 14 14 14
        mfa_step3 32 32 32
        mka 60 60 60
        mtla 15 15 15
        mtla_s3 26/3 26/3 26/3
        mka_l3 48 48 48
        mla 32 32 32
        mlra_2 38 38 38
        mlra_4 38 38 38
        mlra_4_gated 38 38 38
        mlra_gla_2 38 38 38
        mlra_gla_4 38 38 38
        mlra_gta 30 30 30
        mlra_mfa 28 28 28
        mlra_mla 38 38 38
        mka_full 160 160 160
        moas 168 168 168
        moas_rope 168 168 168
        qcqa 60 120 40
        cla 48 0 48 0
        cla_hunyuan 48 0 48 0
        clla 32 0 32 0
        clla_int4 32 0 32
        clla_per_layer 32 8 32 8
        mha2mla 42 42 42
        mha2mla_bias 36 36 36
        mha2mla_high 32 32 32
        mha2mla_vlm 40 40 40
        mha2mla_vlm_mrope 45 45 45
        sqa 32 32 32
        sqa_rev 48 48 48
        x_ecomla 22 72 14 30
        tucker 28 28 28
        tucker_shared 16 16 16
        """;

    public static TheoryData<string, double[]> Schemes() =>
        [.. Table.Split('\n').Select(line => line.Split(' ')).Select(row => (row[0], row[1..].Select(Number).ToArray()))];

    [Theory, MemberData(nameof(Schemes))]
    public void A_token_leaves_as_many_elements_as_the_scheme_says(string fixture, params double[] elements)
    {
        using var checkpoint = Checkpoint.OpenFolder(Fixtures.Path($"schemes/{fixture}"));
        var plan = ModelTypes.Plan(new(checkpoint.Config, checkpoint.OpenLedger()));
        foreach (var type in Enum.GetValues<CacheType>())
        {
            var layout = new CacheLayout([.. plan.Attentions], CacheLayout.PageTokensFor(plan.Attentions), type);
            Assert.Equal(elements, plan.Attentions.Select((_, layer) => layout.ElementsPerToken(layer)));
            foreach (var (attention, layer) in plan.Attentions.Select((attention, layer) => (attention, layer)))
                Assert.Equal(attention.Streams.Where(stream => stream.OwnedBy is null).Sum(stream => (double)Stored(attention, stream, type) / stream.Stride), layout.TokenBytes(layer), 1e-9);
        }
    }

    /// <summary>Elements times their size; with scales: filled up to four bytes a vector, and two bytes for every 32 values (e4m3: for every vector).</summary>
    static int Stored(AttentionPlan plan, CachedStream stream, CacheType type)
    {
        if (stream.IsPlane) return stream.Format!.Value.Bits / 8;
        if (stream.Format is { } own) return stream.Groups * ((stream.Width * 4 + 31) / 32 * 4 + stream.Width / own.GroupSize * 2);
        if (type == CacheType.Float32) return stream.Elements * 4;
        if (type == CacheType.BFloat16 || plan.IsRotary(stream)) return stream.Elements * 2;
        var (bits, scales) = type switch
        {
            CacheType.Fp8 => (8, 1),
            CacheType.Int8 => (8, (stream.Width + 31) / 32),
            _ => (4, (stream.Width + 31) / 32),
        };
        return stream.Groups * ((stream.Width * bits + 31) / 32 * 4 + scales * 2);
    }

    static double Number(string text) => text.Split('/') is [var over, var under] ? double.Parse(over) / double.Parse(under) : double.Parse(text);

    /// <summary>A window of t0 + t1 - 2 rows of queries and keys, and half of a value; a running average of the hidden width.</summary>
    [Theory]
    [InlineData("cca", 3 * (2 * 72 + 12))]
    [InlineData("mka", 3 * 56)]
    [InlineData("mka_l3", 3 * 56)]
    public void A_sequence_keeps_as_many_values_beside_rows_as_the_scheme_says(string fixture, int values)
    {
        using var checkpoint = Checkpoint.OpenFolder(Fixtures.Path($"schemes/{fixture}"));
        var plan = ModelTypes.Plan(new(checkpoint.Config, checkpoint.OpenLedger()));
        Assert.Equal(values, plan.Attentions.SelectMany(attention => attention.States).Sum(state => state.Values));
        var layout = new CacheLayout([.. plan.Attentions]).States;
        Assert.Equal(values, layout.Regions.Sum(region => region.State.Values));
        Assert.Equal(layout.Regions.Sum(region => (region.State.Values * 4L + 63) / 64 * 64), layout.PlaceBytes);
        Assert.True(layout.NeedsSnapshots);
    }
}
