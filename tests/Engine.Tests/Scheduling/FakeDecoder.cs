using System.Collections.Immutable;
using Serving.Attention;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Sampling;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>
/// A model of one number a row: a hash of its token, its position and every row that it can see through the page tables; where layers
/// keep states, also of a hash of all tokens so far that lies in the sequence's place. Like a hidden state it depends on the whole past,
/// so that a page with the right tokens of a wrong past changes what comes next.
/// </summary>
sealed class FakeDecoder(CacheLayout layout, CacheSize size, int vocabulary = FakeDecoder.DefaultVocabulary) : IDecoder
{
    public const int DefaultVocabulary = 29;

    readonly ulong[][] _rows = [.. size.Pages.Select(count => new ulong[count * layout.PageTokens])];
    readonly ulong[][] _swapped = [.. (size.Swap?.Pages ?? []).Select(count => new ulong[count * layout.PageTokens])];
    readonly Dictionary<int, ulong> _places = [], _swappedPlaces = [];
    readonly List<ulong> _states = [];
    readonly float[] _logits = new float[4 * vocabulary];

    public int VocabularySize => vocabulary;
    public int HiddenSize => 3;
    public int LogitRows => 4;

    /// <summary>Called before each step.</summary>
    public Action<StepInput>? OnForward { get; set; }

    /// <summary>Called before each slice of logits.</summary>
    public Action? OnLogits { get; set; }

    /// <summary>Called before pages go out or come back.</summary>
    public Action? OnSwap { get; set; }

    public void Forward(StepInput step)
    {
        OnForward?.Invoke(step);
        _states.Clear();
        for (var run = 0; run < step.Rows.Runs; run++)
        {
            for (var row = step.Rows.RunStarts[run]; row < step.Rows.RunStarts[run + 1]; row++)
                _states.Add(Compute(step, run, row));
            if (layout.States.PlaceBytes > 0 && step.States.Saves[run] is >= 0 and var save) _places[save] = _places[step.States.Places[run]];
        }
    }

    public Span<float> Logits(ReadOnlySpan<int> rows)
    {
        OnLogits?.Invoke();
        if (rows.Length > LogitRows) throw new ArgumentException($"{rows.Length} rows of logits at once.");
        for (var i = 0; i < rows.Length; i++) FillLogits(_states[rows[i]], _logits.AsSpan(i * vocabulary, vocabulary));
        return _logits.AsSpan(0, rows.Length * vocabulary);
    }

    public void Hidden(int row, Span<float> destination) => FillHidden(_states[row], destination);

    public void CopyPages(int pageGroup, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        for (var i = 0; i < from.Length; i++) Page(pageGroup, from[i]).CopyTo(Page(pageGroup, to[i]));
    }

    public void CopyStates(ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        for (var i = 0; i < from.Length; i++) _places[to[i]] = _places[from[i]];
    }

    public void SwapPages(Swap way, int pageGroup, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        OnSwap?.Invoke();
        for (var i = 0; i < from.Length; i++)
        {
            if (pageGroup == _rows.Length)
            {
                if (way == Swap.Out) _swappedPlaces[to[i]] = _places[from[i]];
                else _places[to[i]] = _swappedPlaces[from[i]];
            }
            else if (way == Swap.Out) Page(pageGroup, from[i]).CopyTo(Swapped(pageGroup, to[i]));
            else Swapped(pageGroup, from[i]).CopyTo(Page(pageGroup, to[i]));
        }
    }

    public static ulong Mix(ulong hash, ulong value)
    {
        hash = (hash ^ value) * 0x9FB21C651E98DF25;
        return hash ^ (hash >> 32);
    }

    public static void FillLogits(ulong state, Span<float> row)
    {
        for (var i = 0; i < row.Length; i++) row[i] = Mix(state, (ulong)i + 77) % 4096 / 512f;
    }

    public static void FillHidden(ulong state, Span<float> row)
    {
        for (var i = 0; i < row.Length; i++) row[i] = Mix(state, (ulong)i + 5) % 1024;
    }

    ulong Compute(StepInput step, int run, int row)
    {
        var position = step.Rows.Positions[row];
        var state = Mix((ulong)step.Tokens[row], (ulong)position);
        if (layout.States.PlaceBytes > 0)
        {
            var place = step.States.Places[run];
            state = Mix(state, _places[place] = Mix(position == 0 ? 0 : _places[place], state));
        }

        for (var group = 0; group < _rows.Length; group++)
        {
            var table = step.Pages[group].Of(run);
            for (var seen = layout.Groups[group].Rows.FirstVisible(position); seen < position; seen++)
                state = Mix(state, Row(group, table, seen));
        }

        for (var group = 0; group < _rows.Length; group++) Row(group, step.Pages[group].Of(run), position) = state;
        return state;
    }

    ref ulong Row(int group, ReadOnlySpan<int> table, int position) =>
        ref Page(group, table[position / layout.PageTokens])[position % layout.PageTokens];

    Span<ulong> Swapped(int group, int page) => _swapped[group].AsSpan(page * layout.PageTokens, layout.PageTokens);

    Span<ulong> Page(int group, int page) => _rows[group].AsSpan(page * layout.PageTokens, layout.PageTokens);
}

/// <summary>The same model without pages: one sequence, computed alone.</summary>
sealed class LoneModel(CacheLayout layout)
{
    readonly List<ulong> _states = [];
    ulong _memory;

    public ulong Append(int token)
    {
        var state = FakeDecoder.Mix((ulong)token, (ulong)_states.Count);
        if (layout.States.PlaceBytes > 0) state = FakeDecoder.Mix(state, _memory = FakeDecoder.Mix(_memory, state));
        foreach (var group in layout.Groups)
            for (var seen = group.Rows.FirstVisible(_states.Count); seen < _states.Count; seen++)
                state = FakeDecoder.Mix(state, _states[seen]);
        _states.Add(state);
        return state;
    }

    /// <summary>What a request's choice says when nobody else is there: its tokens, then the end.</summary>
    public static (List<int> Tokens, FinishReason Reason) Say(CacheLayout layout, Sequence sequence, int vocabulary)
    {
        var (model, sampler, logits, said) = (new LoneModel(layout), new Sampler(), new float[vocabulary], new List<int>());
        var request = sequence.Request;
        var history = new TokenHistory(request.Prompt.AsSpan());
        var constraint = request.Constraint?.Invoke();
        var state = 0UL;
        foreach (var token in request.Prompt) state = model.Append(token);
        while (request.Prompt.Length + said.Count < sequence.LengthLimit)
        {
            FakeDecoder.FillLogits(state, logits);
            var token = sampler.Sample(logits, sequence.Sampling, history, constraint).Id;
            constraint?.Accept(token);
            if (sequence.Sampling.StopTokenIds.Contains(token)) return (said, FinishReason.Stop);
            said.Add(token);
            history.Add(token);
            state = model.Append(token);
        }

        return (said, FinishReason.Length);
    }
}

/// <summary>Layouts that only have the facts which scheduling sees.</summary>
static class Layouts
{
    public static CacheLayout Of(int pageTokens, params RowPolicy[] rows) => new([.. rows.Select(Plan)], pageTokens, CacheType.Float32);

    /// <summary>The first layer keeps a state.</summary>
    public static CacheLayout WithState(int pageTokens, params RowPolicy[] rows) => new(
        [.. rows.Select((policy, layer) => layer > 0 ? Plan(policy) : Plan(policy) with { States = [new("memory", new StateUpdate.Average(1, 0.5f))] })],
        pageTokens, CacheType.Float32);

    public static AttentionPlan Plan(RowPolicy rows) => new()
    {
        Streams = [new("latent", new Projection([]), 4)],
        Branch = new(1, new([]), "latent") { Scale = 1, Output = new([]) },
        Rows = rows,
    };
}
