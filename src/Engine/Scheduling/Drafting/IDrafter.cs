namespace Serving.Scheduling.Drafting;

/// <summary>Guesses what sequences will say next. Guesses are computed beside what is known, and only those that turn out to be said stay.</summary>
public interface IDrafter
{
    /// <summary>
    /// Gives each sequence guesses, by <see cref="Sequence.Guess"/>, as long as that takes more. All their known tokens but the last rows
    /// are computed. Runs on the engine's thread; allocates nothing once warm.
    /// </summary>
    void Draft(ReadOnlySpan<Sequence> sequences);

    /// <summary>Forgets a sequence that gave its pages back.</summary>
    void Forget(Sequence sequence);
}
