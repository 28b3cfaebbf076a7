using System.Runtime.InteropServices;
using Serving.Cache;
using Serving.Model;
using Serving.Sampling;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving;

/// <summary>
/// Guesses what a smaller model with the same vocabulary would say (Leviathan et al., arXiv 2211.17192). It reads the same tokens into a
/// cache of its own and draws with the same seeds, so that guesses are right where the two models agree, for drawn answers too.
/// </summary>
/// <param name="decoder">The model; its layers keep no states.</param>
/// <param name="pages">The books of its cache.</param>
/// <param name="vocabulary">Tokens of the model that is guessed for.</param>
/// <param name="longest">Longest sequence that it takes.</param>
/// <param name="maxRows">Most rows that it computes at once: a longer prompt takes several steps before there are guesses.</param>
sealed class DraftModel(IDecoder decoder, PageLedger pages, int vocabulary, int longest, int maxRows) : IDrafter
{
    readonly Dictionary<Sequence, Follower> _followers = [];
    readonly List<Follower> _computing = [];
    readonly StepInput _input = new(maxRows, maxRows, pages.Groups.Length);
    readonly Sampler _sampler = new();
    readonly int[] _rows = new int[decoder.LogitRows];

    /// <summary>Its books, for tests that recount them.</summary>
    public PageLedger Pages => pages;

    /// <summary>The tables that it holds, for the same.</summary>
    public IEnumerable<PageTables> Tables => _followers.Values.Select(follower => follower.Tables);

    /// <inheritdoc/>
    public void Draft(ReadOnlySpan<Sequence> sequences)
    {
        _computing.Clear();
        var left = maxRows;
        foreach (var sequence in sequences)
            if (Follow(sequence, ref left) is { } follower) _computing.Add(follower);
        try
        {
            while (_computing.Count > 0) Compute();
        }
        finally
        {
            foreach (var sequence in sequences)
                if (_followers.TryGetValue(sequence, out var follower)) follower.Rewind();
        }
    }

    /// <inheritdoc/>
    public void Forget(Sequence sequence)
    {
        if (_followers.Remove(sequence, out var follower)) pages.Release(follower.Tables);
    }

    /// <summary>Catches up with a sequence, as far as pages and rows allow; null when nothing can be computed for it now.</summary>
    Follower? Follow(Sequence sequence, ref int left)
    {
        if (sequence.Known.Length + sequence.GuessRoom > longest || left == 0) return null;
        if (!_followers.TryGetValue(sequence, out var follower))
        {
            follower = new(sequence, new(pages.Groups.Length));
            if (pages.TryAdmit(follower.Tables, sequence.Known, new(sequence.PrefixSeed, true, Math.Min(left, sequence.Known.Length), 0)) is not { } shared)
            {
                pages.Release(follower.Tables);
                return null;
            }

            follower.Computed = shared;
            _followers.Add(sequence, follower);
        }
        else
        {
            follower.KeepWhatWasSaid();
            pages.Settle(follower.Tables, follower.Computed, wrong: false);
        }

        follower.Rows = Math.Min(left, sequence.Known.Length - follower.Computed);
        // Two models may fill up the same vocabulary to different sizes.
        if (sequence.Known.Slice(follower.Computed, follower.Rows).ContainsAnyExceptInRange(0, decoder.VocabularySize - 1)) return null;
        if (!pages.TryGrow(follower.Tables, follower.Computed + follower.Rows)) return null;
        left -= follower.Rows;
        return follower;
    }

    /// <summary>Computes the rows of all that have some, and lets those that know what they follow guess their next token.</summary>
    void Compute()
    {
        _input.Clear();
        foreach (var follower in _computing)
        {
            _input.Add(follower.Sequence.Known.Slice(follower.Computed, follower.Rows), follower.Computed, follower.Sequence.LengthLimit);
            _input.States.Add(StatePool.None);
            for (var group = 0; group < _input.Pages.Length; group++) _input.Pages[group].Add(follower.Tables[group].Entries);
        }

        decoder.Forward(_input);
        for (int first = 0, row = 0; first < _computing.Count; first += _rows.Length)
            Guess(CollectionsMarshal.AsSpan(_computing).Slice(first, Math.Min(_rows.Length, _computing.Count - first)), ref row);
        _computing.RemoveAll(static follower => follower.Rows == 0);
    }

    void Guess(Span<Follower> followers, ref int row)
    {
        for (var i = 0; i < followers.Length; i++) _rows[i] = (row += followers[i].Rows) - 1;
        var logits = decoder.Logits(_rows.AsSpan(0, followers.Length));
        for (var i = 0; i < followers.Length; i++)
        {
            var follower = followers[i];
            follower.Computed += follower.Rows;
            follower.Rows = 0;
            if (follower.Sequence.Drafted == 0) Book(follower);
            if (follower.Computed == follower.Sequence.Known.Length && Guess(logits.Slice(i * decoder.VocabularySize, decoder.VocabularySize), follower)
                && pages.TryGrow(follower.Tables, follower.Computed + 1)) follower.Rows = 1;
        }
    }

    // Before the first guess all rows are of tokens that stay.
    void Book(Follower follower)
    {
        pages.Publish(follower.Tables, follower.Sequence.Known[..follower.Computed]);
        pages.Trim(follower.Tables, follower.Computed);
    }

    /// <summary>Guesses a token; false when it is the last one that makes sense.</summary>
    bool Guess(ReadOnlySpan<float> row, Follower follower)
    {
        var sequence = follower.Sequence;
        try
        {
            var sampled = _sampler.Sample(row, follower.Sampling, sequence.History, sequence.Constraint);
            return sampled.Outcome == SampleOutcome.Chosen && sampled.Id < vocabulary && sequence.Guess(sampled.Id)
                && follower.Note(sampled.Id) && sequence.Drafted < sequence.GuessRoom;
        }
        catch (Exception) when (sequence.Constraint is not null)
        {
            // The row that is verified meets the same fault, and tells of it.
            return false;
        }
    }

    /// <summary>How far a sequence was read, and what was guessed of it.</summary>
    sealed class Follower(Sequence sequence, PageTables tables)
    {
        readonly int[] _guesses = new int[DraftOptions.MostTokens];
        int _settled, _count, _said, _accepted;

        public Sequence Sequence => sequence;
        public PageTables Tables => tables;
        public SamplingOptions Sampling { get; } = sequence.Sampling with { Logprobs = null };
        public int Computed { get; set; }
        public int Rows { get; set; }

        /// <summary>Goes on from a guess as if it were said, until <see cref="Rewind"/>; false when nothing may follow it.</summary>
        public bool Note(int token)
        {
            if (_count == 0) _settled = sequence.Settled;
            _guesses[_count++] = token;
            sequence.History.Add(token);
            _said++;
            if (sequence.Constraint is not { } constraint) return true;
            if (!constraint.Accept(token)) return false;
            _accepted++;
            return !constraint.Ended;
        }

        /// <summary>Takes the guesses out of the history and the constraint, which do not know them.</summary>
        public void Rewind()
        {
            sequence.History.Remove(_guesses.AsSpan(0, _said));
            if (_accepted > 0) sequence.Constraint!.Rollback(_accepted);
            (_said, _accepted) = (0, 0);
        }

        /// <summary>Drops the rows of guesses that were wrong, and always the last, which tells what follows.</summary>
        public void KeepWhatWasSaid()
        {
            var right = 0;
            while (right < _count && _settled + right < sequence.Known.Length && sequence.Known[_settled + right] == _guesses[right]) right++;
            if (_count > 0) Computed = Math.Min(Computed, Math.Min(_settled + right, sequence.Known.Length - 1));
            _count = 0;
        }
    }
}
