using System.Diagnostics.Metrics;

namespace Serving.Server.Metrics;

/// <summary>How a number develops, in the words of the exposition format.</summary>
enum MetricKind
{
    Counter,
    Gauge,
    Histogram,
}

/// <summary>One instrument under one set of tags: a number, or a histogram of fixed bounds.</summary>
sealed class MetricSeries(KeyValuePair<string, object?>[] tags, double[] bounds)
{
    readonly long[] _counts = new long[bounds.Length + 1];

    public ReadOnlySpan<KeyValuePair<string, object?>> Tags => tags;

    /// <summary>The number; of a histogram the sum.</summary>
    public double Value { get; private set; }

    /// <summary>Observations by bucket; the last one is above every bound.</summary>
    public ReadOnlySpan<long> Counts => _counts;

    public bool Has(ReadOnlySpan<KeyValuePair<string, object?>> others)
    {
        if (others.Length != tags.Length)
            return false;
        for (var i = 0; i < tags.Length; i++)
        {
            if (tags[i].Key != others[i].Key || !Equals(tags[i].Value, others[i].Value))
                return false;
        }
        return true;
    }

    public void Set(double value) => Value = value;

    public void Add(double value) => Value += value;

    public void Observe(double value)
    {
        Value += value;
        var bucket = 0;
        while (bucket < bounds.Length && value > bounds[bucket])
            bucket++;
        _counts[bucket]++;
    }
}

/// <summary>An instrument and its series; the number of series is bounded, whatever the tags.</summary>
sealed class MetricFamily
{
    /// <summary>Series of an instrument; tags beyond that share one series, so that no caller can make the exposition grow.</summary>
    const int MaxSeries = 64;

    static readonly double[] Seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
    static readonly double[] Amounts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
    static readonly KeyValuePair<string, object?>[] Overflow = [new("overflow", "true")];

    readonly List<MetricSeries> _series = [];
    readonly bool _isCumulative;

    public MetricFamily(Instrument instrument)
    {
        Instrument = instrument;
        var type = instrument.GetType();
        var generic = type.IsGenericType ? type.GetGenericTypeDefinition() : type;
        Kind = generic == typeof(Histogram<>) ? MetricKind.Histogram
            : generic == typeof(Counter<>) || generic == typeof(ObservableCounter<>) ? MetricKind.Counter
            : MetricKind.Gauge;
        _isCumulative = generic == typeof(Counter<>) || generic == typeof(UpDownCounter<>);
        Bounds = Kind == MetricKind.Histogram ? BoundsOf(instrument) : [];
    }

    public Instrument Instrument { get; }

    public MetricKind Kind { get; }

    public double[] Bounds { get; }

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (_series)
        {
            var series = Find(tags);
            if (Kind == MetricKind.Histogram)
                series.Observe(value);
            else if (_isCumulative)
                series.Add(value);
            else
                series.Set(value);
        }
    }

    /// <summary>Visits the series while nothing is recorded into them.</summary>
    public void Visit(Action<MetricSeries> visit)
    {
        lock (_series)
            _series.ForEach(visit);
    }

    MetricSeries Find(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        foreach (var series in _series)
        {
            if (series.Has(tags))
                return series;
        }
        if (_series.Count > MaxSeries)
            return _series[MaxSeries];
        var added = new MetricSeries(_series.Count == MaxSeries ? Overflow : tags.ToArray(), Bounds);
        _series.Add(added);
        return added;
    }

    static double[] BoundsOf(Instrument instrument) => instrument switch
    {
        Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds],
        Histogram<long> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
        Histogram<int> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
        { Unit: "s" } => Seconds,
        _ => Amounts,
    };
}
