namespace Serving.Scheduling;

/// <summary>
/// How fast the engine works while it has work: rows a second and tokens an answer, each a mean that forgets. Written by the engine's thread,
/// read by any.
/// </summary>
public sealed class Pace
{
    // A load of half a minute ago says little of now; a single slow step should not say much either.
    const double Memory = 30;
    const double Answers = 64;

    // Steps of so many rows are bound by arithmetic: what they take goes by their rows.
    const int ManyRows = 64;

    double _rows, _seconds, _answer, _manyRows, _manySeconds;
    double _rate, _length;
    int _seats;

    /// <summary>Rows computed in a second of work; 0 before the first step.</summary>
    public double RowsPerSecond => Volatile.Read(ref _rate);

    /// <summary>Tokens of an answer; 0 before the first one.</summary>
    public double AnswerTokens => Volatile.Read(ref _length);

    /// <summary>Seats that nobody sat in during the last step: as many requests wait for their prompt alone.</summary>
    public int FreeSeats => Volatile.Read(ref _seats);

    /// <summary>A step was computed.</summary>
    public void Stepped(int rows, int freeSeats, TimeSpan took)
    {
        Volatile.Write(ref _seats, freeSeats);
        var seconds = took.TotalSeconds;
        var kept = Math.Exp(-seconds / Memory);
        (_rows, _seconds) = (_rows * kept + rows, _seconds * kept + seconds);
        if (_seconds > 0) Volatile.Write(ref _rate, _rows / _seconds);
        if (rows >= ManyRows) (_manyRows, _manySeconds) = (_manyRows * kept + rows, _manySeconds * kept + seconds);
    }

    /// <summary>
    /// Rows of prompts with which a step takes about as long as wanted, by the steps of many rows before it; no fewer than keep the arithmetic
    /// busy, and <paramref name="most"/> before anything was measured. The engine's thread asks.
    /// </summary>
    public int PromptRows(TimeSpan wanted, int most) => _manySeconds > 0
        ? (int)Math.Clamp(Math.Round(_manyRows / _manySeconds * wanted.TotalSeconds), Math.Min(ManyRows, most), most)
        : most;

    /// <summary>An answer ended.</summary>
    public void Answered(int tokens)
    {
        _answer = Math.Min(_answer + 1, Answers);
        Volatile.Write(ref _length, AnswerTokens + (tokens - AnswerTokens) / _answer);
    }

    /// <summary>How long a backlog takes: its prompts and the answers expected of them, at the measured rate; none before anything was measured.</summary>
    /// <param name="requests">Requests ahead.</param>
    /// <param name="promptTokens">Tokens of their prompts.</param>
    /// <param name="share">Part of the engine that works on this backlog, above 0 to 1.</param>
    public TimeSpan Wait(long requests, long promptTokens, double share) =>
        Wait(Math.Max(0, requests - FreeSeats), promptTokens, AnswerTokens, RowsPerSecond * share);

    /// <summary>Seconds for <paramref name="requests"/> answers of a mean length and their prompts.</summary>
    public static TimeSpan Wait(long requests, long promptTokens, double answerTokens, double rowsPerSecond) =>
        rowsPerSecond > 0 ? TimeSpan.FromSeconds(Math.Min((promptTokens + requests * answerTokens) / rowsPerSecond, 1e6)) : TimeSpan.Zero;

    /// <summary>When to come back: as soon as the wait will have shrunk to what is allowed, in whole seconds from 1 to an hour.</summary>
    public static TimeSpan RetryAfter(TimeSpan wait, TimeSpan allowed) =>
        TimeSpan.FromSeconds(Math.Clamp(Math.Ceiling((wait - allowed).TotalSeconds), 1, 3600));
}
