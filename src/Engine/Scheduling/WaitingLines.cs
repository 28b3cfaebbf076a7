namespace Serving.Scheduling;

/// <summary>One caller's sequences that wait, and how many rows the caller was given; compared with other callers that want something now.</summary>
sealed class WaitingLine(string caller)
{
    public string Caller { get; } = caller;

    public SortedSet<Sequence> Sequences { get; } = new(Sequence.Order);

    /// <summary>Rows computed for the caller.</summary>
    public long Served { get; set; }

    /// <summary>Sequences that wait or run; without any the line is forgotten.</summary>
    public int Live { get; set; }
}

/// <summary>
/// Sequences that wait, a line for each caller: next is the first in the line of the caller that was served least. A caller who comes back is
/// counted as served no less than the others, so that nobody saves up (the virtual token counters of Sheng et al., OSDI 2024).
/// </summary>
sealed class WaitingLines
{
    readonly Dictionary<string, WaitingLine> _lines = [];

    /// <summary>Sequences in all lines.</summary>
    public int Count { get; private set; }

    /// <summary>Who is next; null when nobody waits.</summary>
    public Sequence? Next
    {
        get
        {
            Sequence? next = null;
            foreach (var line in _lines.Values)
                if (line.Sequences.Min is { } first && (next is null || Before(line, first, next)))
                    next = first;
            return next;
        }
    }

    /// <summary>All that wait, the callers' lines one after the other.</summary>
    public IEnumerable<Sequence> All => _lines.Values.SelectMany(line => line.Sequences);

    /// <summary>A sequence's first coming: finds or begins its caller's line.</summary>
    public void Enter(Sequence sequence)
    {
        var caller = sequence.Request.Caller;
        if (!_lines.TryGetValue(caller, out var line))
        {
            var served = _lines.Count == 0 ? 0 : _lines.Values.Min(other => other.Served);
            _lines.Add(caller, line = new(caller) { Served = served });
        }
        sequence.Line = line;
        line.Live++;
        Wait(sequence);
    }

    /// <summary>A fork joins what its caller has running.</summary>
    public static void Join(Sequence fork, Sequence lead)
    {
        fork.Line = lead.Line;
        fork.Line!.Live++;
    }

    public void Wait(Sequence sequence)
    {
        if (sequence.Line!.Sequences.Add(sequence)) Count++;
    }

    public void Remove(Sequence sequence)
    {
        if (sequence.Line!.Sequences.Remove(sequence)) Count--;
    }

    /// <summary>A sequence is over.</summary>
    public void Leave(Sequence sequence)
    {
        if (sequence.Line is not { } line) return;
        Remove(sequence);
        sequence.Line = null;
        if (--line.Live == 0) _lines.Remove(line.Caller);
    }

    static bool Before(WaitingLine line, Sequence first, Sequence than) =>
        line.Served != than.Line!.Served ? line.Served < than.Line.Served : Sequence.Order.Compare(first, than) < 0;
}
