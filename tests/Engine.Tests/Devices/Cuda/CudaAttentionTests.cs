using Serving.Devices;
using Serving.Devices.Cuda;

namespace Serving.Tests;

/// <summary>How attention is cut for the blocks of a GPU, and which shapes go to tensor cores.</summary>
public sealed class CudaAttentionTests
{
    [Fact]
    public void Every_query_is_in_one_unit_and_every_span_in_one_item_whatever_the_number_of_blocks()
    {
        for (var seed = 0; seed < Fixtures.Rounds(300); seed++)
        {
            var random = new Random(seed);
            var groups = random.Next(1, 5);
            var shape = new AttendShape(groups * random.Next(1, 40), groups, 16, 0, 16, true);
            var rule = new ScoreRule(1, Window: random.Next(3) == 0 ? random.Next(1, 3000) : 0);
            var rows = new PagedRows(64, 4096, 16, groups, 16, CacheType.BFloat16) { Stride = random.Next(4) == 0 ? 3 : 1 };
            var (batch, work, queries) = (new RowBatch(400, 8), new AttendWork(), random.Next(1, 65));
            batch.Clear();
            for (var run = random.Next(1, 8); run > 0; run--) batch.Add(random.Next(6000), random.Next(40));
            for (var run = 0; run < batch.Runs; run++) work.Cut(shape, rule, rows, batch, run, 0, queries);
            var slots = random.Next(200);
            work.Share(random.Next(1, 300), slots, rows.IsStrided);

            var asked = new HashSet<(int, int)>();
            foreach (var unit in work.Units)
            {
                Assert.InRange(unit.Rows * unit.Heads, 1, queries);
                for (var row = unit.Row; row < unit.Row + unit.Rows; row++)
                    for (var head = unit.Head; head < unit.Head + unit.Heads; head++)
                    {
                        Assert.True(asked.Add((row, head)), $"Seed {seed}: row {row}, head {head} twice.");
                        Assert.Equal(unit.Group, head / (shape.QueryHeads / groups));
                    }
            }
            Assert.Equal(batch.Rows * shape.QueryHeads, asked.Count);
            Assert.True(work.Slots <= slots);
            CheckItems(work, rows.IsStrided);
        }
    }

    // A unit is one item to its end, or an item for each span, whose states lie in order where a merge finds them.
    static void CheckItems(AttendWork work, bool open)
    {
        var next = new int[work.Units.Length];
        for (var i = 0; i < next.Length; i++) next[i] = work.Units[i].FirstSpan;
        foreach (var item in work.Items)
        {
            Assert.Equal(next[item.Unit], item.From);
            next[item.Unit] = item.To;
            if (item.Finishes == 1) Assert.Equal((-1, work.Units[item.Unit].FirstSpan), (item.Slot, item.From));
            else Assert.Equal(item.From + 1, item.To);
        }
        for (var i = 0; i < next.Length; i++) Assert.Equal(work.Units[i].EndSpan + (open ? 1 : 0), next[i]);
        foreach (var merge in work.Merges)
        {
            var states = work.Items.ToArray().Where(item => item.Unit == merge.Unit).Select(item => item.Slot);
            Assert.Equal(Enumerable.Range(merge.Slot, merge.Slots), states);
        }
        Assert.Equal(work.Slots, work.Merges.ToArray().Sum(merge => merge.Slots));
    }

    public static TheoryData<string, AttendShape, CacheType, bool> Legal => new()
    {
        { "grouped heads", new(32, 8, 128, 0, 128, false), CacheType.BFloat16, true },
        { "one wide key and value", new(64, 1, 256, 0, 256, false), CacheType.BFloat16, true },
        { "latents", new(128, 1, 512, 64, 512, true), CacheType.BFloat16, true },
        { "values longer than what a score reads", new(4, 2, 32, 32, 64, true), CacheType.BFloat16, true },
        { "the same off the kernel's steps", new(4, 2, 24, 32, 64, true), CacheType.BFloat16, false },
        { "vectors that are no whole copies", new(4, 2, 36, 0, 32, false), CacheType.BFloat16, false },
        { "outputs beyond the registers", new(4, 1, 64, 0, 640, false), CacheType.BFloat16, false },
        { "single precision", new(32, 8, 128, 0, 128, false), CacheType.Float32, false },
        { "whole numbers", new(32, 8, 128, 0, 128, false), CacheType.Int8, true },
        { "floats of eight bits", new(128, 1, 512, 64, 512, true), CacheType.Fp8, true },
        { "four bits that are no whole copies", new(4, 2, 48, 0, 48, false), CacheType.Int4, false },
        { "classes of tokens", new(4, 1, 130, 0, 130, true, Classes: 2), CacheType.BFloat16, false },
    };

    [Theory, MemberData(nameof(Legal))]
    public void Facts_say_whether_tensor_cores_are_used(string what, AttendShape shape, CacheType type, bool legal)
    {
        PagedRows Rows(int groups, int width) => width == 0 ? default : new(4096, 1 << 16, 16, groups, width, type);
        var cached = new AttendRows(
            Rows(shape.Groups, Math.Max(shape.MainWidth, shape.ValueInMain ? shape.ValueWidth : 0)), Rows(1, shape.RotaryWidth),
            Rows(shape.Groups, shape.ValueInMain ? 0 : shape.ValueWidth));
        Assert.True(legal == TensorShared.IsLegal(shape, new(1), cached), what);
        Assert.False(TensorShared.IsLegal(shape, new(1, Turn: new(new(64, 1, 1, 16, 16, 16))), cached), "keys that turn");
        Assert.False(TensorShared.IsLegal(shape, new(1), cached with { Main = cached.Main with { Stride = 2, Open = 64 } }), "rows of two tokens");
        Assert.False(TensorShared.IsLegal(shape, new(1), cached with { Main = cached.Main with { Address = 4100 } }), "rows off the steps of copies");
    }

    [Fact]
    public void The_widest_shapes_of_served_models_fit_into_the_shared_memory_of_an_A100_and_an_H100()
    {
        var (latents, wide) = (new AttendShape(128, 1, 512, 64, 512, true), new AttendShape(64, 1, 256, 0, 256, false));
        foreach (var (terms, queries, bytes) in new[]
        {
            (TensorTerms.Of(ActivationType.BFloat16), 64, 163 << 10), (TensorTerms.Of(ActivationType.Float32), 16, 163 << 10),
            (TensorTerms.Of(ActivationType.Float32), 32, 227 << 10),
        })
        {
            Assert.InRange(TensorShared.Bytes(latents, default, queries, terms), 1, bytes - 2048);
            Assert.InRange(TensorShared.Bytes(wide, default, queries, terms), 1, queries == 64 ? 227 << 10 : bytes);
        }
    }
}
