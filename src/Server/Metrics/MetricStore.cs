using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Serving.Server.Metrics;

/// <summary>Listens to meters and keeps what their instruments say, to be printed when somebody asks.</summary>
sealed class MetricStore : IDisposable
{
    readonly MeterListener _listener = new();
    readonly ConcurrentDictionary<Instrument, MetricFamily> _families = [];

    /// <param name="listens">Which meters are of interest.</param>
    public MetricStore(Func<Meter, bool> listens)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (listens(instrument.Meter))
                listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(instrument, i => new(i)));
        };
        _listener.MeasurementsCompleted = (instrument, _) => _families.TryRemove(instrument, out var _);
        _listener.SetMeasurementEventCallback<int>((_, value, tags, state) => Record(state, value, tags));
        _listener.SetMeasurementEventCallback<long>((_, value, tags, state) => Record(state, value, tags));
        _listener.SetMeasurementEventCallback<float>((_, value, tags, state) => Record(state, value, tags));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, state) => Record(state, value, tags));
        _listener.Start();
    }

    /// <summary>The families in order of their names, with gauges as they stand now.</summary>
    public IReadOnlyList<MetricFamily> Collect()
    {
        _listener.RecordObservableInstruments();
        return [.. _families.Values.OrderBy(f => f.Instrument.Name, StringComparer.Ordinal)];
    }

    public void Dispose() => _listener.Dispose();

    static void Record(object? state, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) => ((MetricFamily)state!).Record(value, tags);
}
