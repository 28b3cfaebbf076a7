using System.Diagnostics.Metrics;
using Serving.Attention;
using Serving.Diagnostics;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>What the instruments say of a small story whose clock the test owns.</summary>
public sealed class EngineMetricsTests
{
    sealed class Factory : IMeterFactory
    {
        readonly List<Meter> _meters = [];

        public Meter Create(MeterOptions options)
        {
            _meters.Add(new(options.Name, options.Version, options.Tags, this));
            return _meters[^1];
        }

        public void Dispose() => _meters.ForEach(meter => meter.Dispose());
    }

    [Fact]
    public void Times_are_in_seconds_and_counts_add_up()
    {
        var clock = new StillClock();
        using var factory = new Factory();
        var layout = Layouts.Of(4, RowPolicy.All);
        var decoder = new FakeDecoder(layout, new([20])) { OnForward = _ => clock.Now += 250 };
        using var loop = new EngineLoop(
            decoder, layout, new([20]), new() { MaxSequences = 4, TokensPerStep = 16, PageTokens = 4 }, new() { Meters = factory, Clock = clock });
        var seen = new Dictionary<string, List<double>>();
        using var listener = new MeterListener { InstrumentPublished = (instrument, self) => Listen(instrument, self) };
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.Start();

        using var generation = loop.Submit(new() { Prompt = [1, 2, 3, 4, 5], MaxTokens = 3, Sampling = new() { Temperature = 0 } });
        clock.Now += 1000;
        loop.Step();
        listener.RecordObservableInstruments();
        while (loop.Step())
        {
        }

        Assert.Equal([1.0], seen["serving.queue.duration"]);
        Assert.Equal([1.25], seen["gen_ai.server.time_to_first_token"]);
        Assert.Equal([0.25, 0.25], seen["serving.inter_token.duration"]);
        Assert.Equal([0.25], seen["gen_ai.server.time_per_output_token"]);
        Assert.Equal([1.75], seen["gen_ai.server.request.duration"]);
        Assert.Equal([0.25, 0.25, 0.25], seen["serving.step.duration phase=forward"]);
        Assert.Equal([5.0, 1.0, 1.0], seen["serving.step.tokens"]);
        Assert.Equal([1.0], seen["serving.finished reason=length"]);
        Assert.Equal([2.0], seen["serving.cache.pages state=held"]);
        Assert.Equal([8.0], seen["serving.cache.tokens state=held"]);
        Assert.Equal([0.1], seen["serving.cache.usage"]);
        Assert.Equal([5.0], seen["serving.prefix.lookup_tokens"]);

        void Listen(Instrument instrument, MeterListener self)
        {
            if (ReferenceEquals(instrument.Meter.Scope, factory)) self.EnableMeasurementEvents(instrument);
        }

        void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var name = instrument.Name;
            foreach (var (key, tag) in tags) name += $" {key}={tag}";
            if (!seen.TryGetValue(name, out var values)) seen[name] = values = [];
            values.Add(value);
        }
    }
}
