using Serving.Attention;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>More work than the engine can do, on a clock that the work moves: a step costs a fixed time and one for each row.</summary>
[Collection(nameof(Alone))]
public sealed class OverloadTests
{
    const int Seed = 61;
    const int Answer = 16;
    const int MaxWait = 10_000;

    static readonly EngineOptions Options = new() { MaxSequences = 8, TokensPerStep = 32, MaxQueueTime = TimeSpan.FromMilliseconds(MaxWait) };

    [Fact]
    public void Twice_the_load_costs_nothing_but_the_other_half()
    {
        using var full = new Load(Options with { MaxQueueTime = TimeSpan.FromDays(1) });
        full.Run(_ => 0, requests: 1500);
        var capacity = full.Done.Count / full.Seconds;

        var random = new Random(Seed);
        using var twice = new Load(Options);
        var arrival = 0.0;
        twice.Run(_ => arrival += -Math.Log(1 - random.NextDouble()) / (2 * capacity) * 1000, requests: (int)(2 * capacity * 120));
        var goodput = twice.Done.Count / twice.Seconds;
        Assert.True(goodput > 0.95 * capacity, $"{goodput:F1} requests a second done, {capacity:F1} can be (seed {Seed})");
        Assert.InRange(twice.Refused.Count, 0.3 * twice.Asked, 0.6 * twice.Asked);
        Assert.All(twice.Refused, refusal =>
        {
            Assert.Equal(RefusalReason.Overloaded, refusal.Reason);
            Assert.InRange(refusal.RetryAfter!.Value.TotalSeconds, 1, 60);
        });
        var first = twice.FirstTokens.Order().ToArray();
        Assert.InRange(first[(int)(first.Length * 0.99)], 0, MaxWait * 1.25);
        twice.Lab.CheckNothingIsLeft();
    }

    [Fact]
    public void A_caller_with_a_few_requests_does_not_wait_behind_one_with_many()
    {
        using var load = new Load(Options with { MaxQueueTime = TimeSpan.FromDays(1) });
        var many = Enumerable.Range(0, 200).Select(_ => load.Submit("many")!).ToArray();
        for (var i = 0; i < 5; i++) load.Step();
        var few = Enumerable.Range(0, 4).Select(_ => load.Submit("few")!).ToArray();
        while (few.Any(generation => generation.Unfinished > 0)) load.Step();
        Assert.InRange(many.Count(generation => generation.Unfinished == 0), 0, 40);
        load.Finish();
    }

    [Fact]
    public void Callers_that_ask_without_end_get_equal_shares()
    {
        using var load = new Load(Options with { MaxQueueTime = TimeSpan.FromDays(1) });
        string[] callers = ["a", "b", "c"];
        for (var i = 0; i < 300; i++)
        {
            load.Submit("a");
            load.Submit("a");
            load.Submit("a");
            load.Submit("b");
            load.Submit("c", prompt: 20);
        }
        while (load.Done.Count < 200) load.Step();
        var rows = callers.Select(caller => load.Done.Where(g => g.Request.Caller == caller).Sum(g => g.Request.Prompt.Length + Answer)).ToArray();
        Assert.All(rows, own => Assert.InRange(own, 0.85 * rows.Average(), 1.15 * rows.Average()));
    }

    [Fact]
    public void One_caller_cannot_fill_the_queue_of_another()
    {
        using var load = new Load(Options with { MaxQueuedRequests = 20 });
        while (load.Submit("greedy") is not null)
        {
        }
        Assert.Equal(20, load.Asked - 1);
        for (var i = 0; i < 10; i++) Assert.NotNull(load.Submit("modest"));
        Assert.Null(load.Submit("modest"));
        load.Finish();
        Assert.NotNull(load.Submit("greedy"));
        load.Finish();
    }

    [Fact]
    public void Ten_thousand_waiting_requests_cost_little()
    {
        using var load = new Load(Options with { MaxQueuedRequests = 20_000, MaxQueueTime = TimeSpan.FromDays(1) });
        load.Submit("a");
        load.Step();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < 10_000; i++) load.Submit("a", prompt: 100);
        load.Step();
        var each = (GC.GetTotalMemory(forceFullCollection: true) - before) / 10_000;
        Assert.InRange(each, 0, 4096);
        Assert.InRange(load.Lab.Figures.Waiting, 9_980, 10_000);
    }

    /// <summary>Requests that come at times, and an engine that takes the time its work takes.</summary>
    sealed class Load : IDisposable
    {
        readonly StillClock _clock = new();
        readonly List<Generation> _open = [];
        readonly Dictionary<Generation, long> _asked = [];
        int _first;

        public Load(EngineOptions options)
        {
            Lab = new(Layouts.Of(4, RowPolicy.All), new([400]), options, _clock);
            Lab.Decoder.OnForward = step => _clock.Now += 10 + step.Rows.Rows;
        }

        public EngineLab Lab { get; }
        public List<Generation> Done { get; } = [];
        public List<double> FirstTokens { get; } = [];
        public List<RequestRefusedException> Refused { get; } = [];
        public int Asked { get; private set; }
        public double Seconds => _clock.Now / 1000.0;

        /// <summary>Sends requests at the times that <paramref name="next"/> gives, in milliseconds, until the last came; those inside then end.</summary>
        public void Run(Func<int, double> next, int requests)
        {
            for (var i = 0; i < requests; i++)
            {
                var due = next(i);
                while (_clock.Now < due)
                    if (!Step()) _clock.Now = (long)Math.Ceiling(due);
                Submit("");
            }
            Finish();
        }

        public void Finish()
        {
            while (Step())
            {
            }
        }

        public Generation? Submit(string caller, int prompt = 8)
        {
            Asked++;
            try
            {
                var generation = Lab.Loop.Submit(new()
                {
                    Prompt = [.. Enumerable.Range(_first++, prompt).Select(i => i * i % 29)], MaxTokens = Answer, Caller = caller,
                });
                _asked[generation] = _clock.Now;
                _open.Add(generation);
                return generation;
            }
            catch (RequestRefusedException refusal)
            {
                Refused.Add(refusal);
                return null;
            }
        }

        public bool Step()
        {
            if (!Lab.Loop.Step()) return false;
            foreach (var generation in _open)
                while (generation.Events.TryRead(out var happened))
                    if (happened is GenerationEvent.Token && _asked.Remove(generation, out var asked)) FirstTokens.Add(_clock.Now - asked);
            Done.AddRange(_open.Where(generation => generation.Unfinished == 0));
            _open.RemoveAll(generation => generation.Unfinished == 0);
            return true;
        }

        public void Dispose() => Lab.Dispose();
    }
}
