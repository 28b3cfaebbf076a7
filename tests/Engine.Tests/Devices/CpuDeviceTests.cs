using System.Runtime.Intrinsics;
using Serving.Devices;
using Serving.Devices.Cpu;

namespace Serving.Tests;

/// <summary>What the processor's device promises beyond the conformance suite.</summary>
public sealed class CpuDeviceTests
{
    [Theory, InlineData(1), InlineData(2)]
    public void An_operation_allocates_nothing_after_its_first_run(int threads)
    {
        using var device = new CpuDevice(threads);
        using var lab = new DeviceLab(device, 1, loose: false);
        var step = Step(lab);
        foreach (var (name, run) in step)
        {
            run();
            run();
            // The runtime makes some things of its own when a lock is first waited for: the least of three times is the operation's.
            var allocated = Enumerable.Range(0, 3).Min(_ => Allocated(run));
            Assert.True(allocated == 0, $"{name} allocated {allocated} bytes in 5 runs.");
        }
    }

    static long Allocated(Action run)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 5; i++) run();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    [Theory]
    [InlineData(StoredType.Q4_1, 13), InlineData(StoredType.Q8_0, 97), InlineData(StoredType.F32, 200), InlineData(StoredType.Q6K, 193)]
    public void A_row_of_a_large_product_has_the_bits_that_it_has_alone(StoredType type, int rows)
    {
        using var device = new CpuDevice(2);
        using var lab = new DeviceLab(device, 2, loose: false);
        var matrix = device.Load(lab.Stored(type, 70, 512));
        var source = lab.Draw(rows, 1, 512);
        var together = lab.Blank(rows, 1, 70);
        device.Multiply(matrix, source, default, together);
        var alone = lab.Blank(1, 1, 70);
        for (var row = 0; row < rows; row++)
        {
            device.Multiply(matrix, source.Range(row, 1), default, alone);
            Assert.Equal(lab.Read(alone), lab.Read(together.Range(row, 1)));
        }
    }

    [Fact]
    public void Halves_widen_exactly_whatever_they_are()
    {
        using var device = new CpuDevice(1);
        using var lab = new DeviceLab(device, 3, loose: false);
        var stored = lab.Stored(StoredType.F16, 2, 32768);
        for (var i = 0; i < 65536; i++) unsafe { ((ushort*)stored.Data)[i] = (ushort)i; }
        var table = device.Load(stored);
        var rows = lab.Blank(2, 1, 32768);
        device.Embed(table, [0, 1], 1, rows);
        var values = lab.Read(rows);
        for (var i = 0; i < values.Length; i++) Assert.Equal((float)BitConverter.UInt16BitsToHalf((ushort)i), values[i]);
    }

    [Fact]
    public void The_exponential_is_right_to_two_parts_in_ten_million()
    {
        for (var x = -87f; x < 88.5f; x += 0.0137f)
        {
            var value = Lanes.Exp(Vector512.Create(x))[0];
            Assert.True(Math.Abs(value / Math.Exp(x) - 1) < 2e-7, $"e^{x} came out as {value:R}.");
        }
        Assert.Equal(1f, Lanes.Exp(Vector512<float>.Zero)[0]);
        Assert.Equal(0f, Lanes.Exp(Vector512.Create(float.NegativeInfinity))[0]);
        Assert.Equal(float.PositiveInfinity, Lanes.Exp(Vector512.Create(1000f))[0]);
        Assert.True(float.IsNaN(Lanes.Exp(Vector512.Create(float.NaN))[0]));
    }

    [Theory, InlineData(1), InlineData(2), InlineData(5)]
    public unsafe void A_team_does_every_part_of_every_job_once(int workers)
    {
        using var team = new WorkerTeam(workers);
        var done = stackalloc int[257];
        var parts = new Span<int>(done, 257);
        for (var round = 0; round < 3000; round++)
        {
            var count = round % parts.Length;
            var job = new CountJob { Done = done, Workers = workers };
            team.Run(ref job, count);
            Assert.Equal(-1, parts[..count].IndexOfAnyExcept(1));
            Assert.Equal(-1, parts[count..].IndexOfAnyExcept(0));
            parts.Clear();
        }
    }

    static (string, Action)[] Step(DeviceLab lab)
    {
        var device = lab.Device;
        var (x, y, wide) = (lab.Draw(70, 1, 256), lab.Draw(70, 1, 256), lab.Draw(70, 4, 64));
        var matrix = device.Load(lab.Stored(StoredType.Q4_1, 256, 256));
        var stack = device.Load(lab.Stored(StoredType.Q8_0, 4, 64, 64));
        var experts = device.Load(lab.Stored(StoredType.Q4K, 4, 256, 256));
        var routed = lab.BlankRoutes(35, 2);
        var rule = new RoutingRule(4, 2, RouterScore.Sigmoid) { Groups = 2, KeptGroups = 1, Renormalize = true };
        var logits = lab.Draw(35, 1, 4);
        var what = new AttendCase(new(4, 1, 64, 0, 64, false), 64, CacheType.BFloat16);
        var cache = new CachedSequences(lab, what, [1100, 70]);
        var (batch, pages) = (new RowBatch(80, 2), new PageBatch(2));
        batch.Clear();
        pages.Clear();
        batch.Add(1090, 1);
        batch.Add(0, 69);
        pages.Add(cache.Table(0));
        pages.Add(cache.Table(1));
        var keys = lab.Draw(70, 1, 64);
        int[] ids = [.. Enumerable.Range(0, 70)];
        return
        [
            ("multiply 1", () => device.Multiply(matrix, x.Take(1), default, y.Take(1))),
            ("multiply 70", () => device.Multiply(matrix, x, default, y)),
            ("heads", () => device.MultiplyHeads(stack, wide, y.Split(4))),
            ("route", () => device.Route(rule, logits, default, routed)),
            ("experts", () => device.MultiplyExperts(experts, x.Take(35), default, routed, y)),
            ("combine", () => device.CombineExperts(y, x.Take(35), 4, routed, x.Take(35))),
            ("embed", () => device.Embed(matrix, ids, 2, y)),
            ("normalize", () => device.Normalize(new(NormKind.RootMeanSquare, 1e-5f), x, y)),
            ("rotate", () => device.Rotate(wide, keys, interleaved: false)),
            ("activate", () => device.Activate(Activation.Silu, x, y, y)),
            ("add", () => device.Add(x, 0.5f, y)),
            ("scale", () => device.Scale(y, 0.5f, default)),
            ("gather", () => device.Gather(x, ids, y)),
            ("write rows", () => device.WriteRows(keys, cache.Streams[0], batch, pages)),
            ("attend", () => device.Attend(what.Shape, what.Rule, wide, default, cache.Rows, batch, pages, wide)),
            ("attend expanded", () => device.AttendExpanded(
                what.Rule, new(stack, stack), wide, default, cache.Rows with { Value = default }, batch, pages, wide)),
        ];
    }

    unsafe struct CountJob : IJob
    {
        public int* Done;
        public int Workers;

        public readonly void Run(int part, int worker) => Done[part] += (uint)worker < (uint)Workers ? 1 : 1000;
    }
}
