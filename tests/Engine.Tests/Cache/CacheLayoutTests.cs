using System.Collections.Immutable;
using Serving.Attention;
using Serving.Cache;
using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Tests;

public sealed class CacheLayoutTests
{
    static AttentionPlan Plan(RowPolicy rows, params (string Name, int Width, int Groups)[] streams) => Layouts.Plan(rows) with
    {
        Streams = [.. streams.Select(stream => new CachedStream(stream.Name, new([]), stream.Width, stream.Groups))],
    };

    static readonly AttentionPlan Latent = Plan(RowPolicy.All, ("latent", 512, 1), ("rotary", 64, 1));
    static readonly AttentionPlan Local = Plan(new(Window: 128), ("key", 16, 2), ("value", 8, 2));

    [Fact]
    public void Layers_of_equal_rules_form_a_group_and_layers_without_streams_none()
    {
        var layout = new CacheLayout([Latent, Local, Latent, Plan(RowPolicy.All), Local, Latent], 64);
        Assert.Equal([RowPolicy.All, new(Window: 128)], layout.Groups.Select(group => group.Rows));
        Assert.Equal([0, 2, 5], layout.Groups[0].Layers);
        Assert.Equal([1, 4], layout.Groups[1].Layers);
        Assert.Equal((3 * 1152L, 2 * 96L), (layout.Groups[0].TokenBytes, layout.Groups[1].TokenBytes));
        Assert.Equal((3 * 64 * 1152L, 2 * 64 * 96L), (layout.Groups[0].PageBytes, layout.Groups[1].PageBytes));
        Assert.Equal(3 * 1152 + 2 * 96, layout.BytesPerToken);
    }

    [Fact]
    public void Regions_tile_the_cache_with_aligned_pages()
    {
        var layout = new CacheLayout([Plan(RowPolicy.All, ("a", 3, 1), ("b", 5, 2)), Local], 7, CacheType.Float32);
        ImmutableArray<int> pages = [5, 3];
        var end = 0L;
        foreach (var region in layout.Regions(pages))
        {
            Assert.Equal(end, region.Offset);
            Assert.Equal((0, 0), (region.Offset % 64, region.PageBytes % 64));
            Assert.InRange(region.PageBytes - 7 * region.Stream.Elements * 4, 0, 63);
            end += region.PageBytes * pages[region.Group];
        }

        Assert.Equal(layout.Bytes(pages), end);
        Assert.Equal(layout.Groups[0].PageBytes * 5 + layout.Groups[1].PageBytes * 3, end);
    }

    [Fact]
    public void A_budget_is_spent_in_proportion_to_what_a_sequence_holds()
    {
        var one = new CacheLayout([Latent, Latent], 64);
        Assert.Equal([100], one.PagesWithin(100 * one.Groups[0].PageBytes + 17, 4096, 512));
        var two = new CacheLayout([Latent, Local], 64);
        var sequence = 64 * two.Groups[0].PageBytes + 11 * two.Groups[1].PageBytes; // (128 + 512) / 64 + 1 windowed pages
        Assert.Equal([640, 110], two.PagesWithin(10 * sequence, 4096, 512));
        Assert.Equal((640 * 64, 5 * 64), (two.LongestSequence([640, 110], 512), two.LongestSequence([640, 5], 512)));
        Assert.Contains("are too few", Assert.Throws<ArgumentException>(() => two.PagesWithin(100, 4096, 512)).Message);
    }

    [Fact]
    public void The_arithmetic_is_told()
    {
        var text = new CacheLayout([Latent, Local], 64).Describe([10, 4]);
        Assert.Contains("1,248 bytes a token in BFloat16", text);
        Assert.Contains("all rows: 1 layers x 1,152 bytes a token, 10 pages x 64 tokens = 640 tokens", text);
        Assert.Contains("window 128: 1 layers x 96 bytes", text);
    }

    [Fact]
    public void Senseless_layouts_are_refused()
    {
        Assert.Contains("A page of 0 tokens", Assert.Throws<ArgumentException>(() => new CacheLayout([Latent], 0)).Message);
        Assert.Contains("None of the 1 layers", Assert.Throws<ArgumentException>(() => new CacheLayout([Plan(RowPolicy.All)])).Message);
    }

    [Fact]
    public void The_cache_shows_every_stream_in_its_own_place()
    {
        using var device = new ReferenceDevice();
        var layout = new CacheLayout([Latent, Local], 8, CacheType.Float32);
        using var cache = new LatentCache(device, layout, [3, 2]);
        var views = new[] { cache.View(0, "latent"), cache.View(0, "rotary"), cache.View(1, "key"), cache.View(1, "value") };
        Assert.Equal([(8, 1, 512), (8, 1, 64), (8, 2, 16), (8, 2, 8)], views.Select(view => (view.RowsPerPage, view.Groups, view.Width)));
        Assert.Equal(3 * views[0].PageBytes, views[1].Address - views[0].Address);
        Assert.Contains("Layer 1 caches no stream 'latent'", Assert.Throws<KeyNotFoundException>(() => cache.View(1, "latent")).Message);
    }
}
