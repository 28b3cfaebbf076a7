using Serving.Attention;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving.Tests;

/// <summary>What guesses may cost, and what they must never do.</summary>
public sealed class DraftingTests
{
    static readonly DraftOptions Four = new(4) { ShortestMatch = 1 };

    static GenerationRequest Ask(int tokens, DraftOptions? drafting = null) =>
        new() { Prompt = [1, 2, 3, 4, 5, 6], MaxTokens = tokens, Sampling = new() { Temperature = 0 }, Drafting = drafting };

    static EngineLab Lab(IDrafter drafter, int pages = 60, int rows = 32) =>
        new(Layouts.Of(4, RowPolicy.All, new(Window: 6)), new([pages, pages]), new() { MaxSequences = 8, TokensPerStep = rows }, drafter: drafter);

    /// <summary>Guesses by a function of the sequence; none where it gives none.</summary>
    sealed class Guessing(Func<Sequence, IEnumerable<int>> guesses) : IDrafter
    {
        public int Asked { get; private set; }

        public void Draft(ReadOnlySpan<Sequence> sequences)
        {
            foreach (var sequence in sequences)
            {
                Asked++;
                foreach (var guess in guesses(sequence).ToArray())
                    if (!sequence.Guess(guess)) break;
            }
        }

        public void Forget(Sequence sequence)
        {
        }
    }

    static Guessing Right => new(ToCome);

    static Guessing Wrong => new(sequence => ToCome(sequence).Select(token => (token + 1) % FakeDecoder.DefaultVocabulary));

    static IEnumerable<int> ToCome(Sequence sequence) => LoneModel.Say(Layouts.Of(4, RowPolicy.All, new(Window: 6)), sequence, FakeDecoder.DefaultVocabulary)
        .Tokens.Skip(sequence.Known.Length - sequence.Request.Prompt.Length);

    [Theory]
    [InlineData("1 2 3 9 1 2 3", 2, 5, 3), InlineData("1 2 3 9 1 2 3 8 1 2 3", 2, 5, 7), InlineData("1 2 3 9 5 3", 2, 5, 0), InlineData("1 2 3 9 5 3", 1, 5, 3)]
    [InlineData("1 2 3 4 9 2 3 4 8 3 4", 1, 2, 8), InlineData("7 7 7", 1, 2, 2), InlineData("7", 1, 2, 0), InlineData("", 1, 2, 0)]
    public void The_longest_run_that_occurred_before_is_found_where_it_occurred_last(string known, int shortest, int longest, int behind) => Assert.Equal(
        behind, PromptLookup.Find([.. known.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)], new(4) { ShortestMatch = shortest, LongestMatch = longest }));

    [Fact]
    public void Right_guesses_save_steps_and_say_the_same()
    {
        using var lab = Lab(Right);
        var generation = lab.Submit(Ask(20, Four));
        // The prompt's step says one token, three steps say five each, and the last guesses no further than the end.
        Assert.Equal(5, lab.Finish());
        Assert.Equal(lab.Alone(generation).Tokens, Heard.Of(generation).Choices[0].Tokens);
        Assert.Equal((4L, 15L, 15L), (lab.Figures.Drafts, lab.Figures.DraftedTokens, lab.Figures.AcceptedTokens));
        Assert.Equal([4, 4, 4, 3, 0], lab.Figures.AcceptedAt.Take(5));
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void Wrong_guesses_give_their_pages_back_within_the_step()
    {
        using var guessed = Lab(Wrong);
        using var plain = Lab(new Guessing(_ => []));
        var (first, second) = (guessed.Submit(Ask(40, Four)), plain.Submit(Ask(40)));
        for (var step = 0; plain.Step(); step++)
        {
            Assert.True(guessed.Step());
            Assert.Equal((step, plain.Figures.PagesHeld), (step, guessed.Figures.PagesHeld));
        }

        Assert.Equal(Heard.Of(second).Choices[0].Tokens, Heard.Of(first).Choices[0].Tokens);
        Assert.True(guessed.Figures.DraftedTokens > 100);
    }

    [Fact]
    public void Rows_of_wrong_guesses_are_never_shared()
    {
        using var lab = Lab(new Guessing(_ => [0, 0, 0, 0, 0, 0]));
        lab.Submit(Ask(12, new(6)));
        lab.Step();
        lab.Step();
        // Tokens 0 to 3 are a page of the prompt, 4 to 7 hold its end, the first token of the answer and a guess.
        var said = lab.Generations[0].Sequences[0].Known;
        var liar = lab.Submit(Ask(4) with { Prompt = [.. said[..7], 0, 0, 0, 0, 0, 0] });
        lab.Finish();
        var heard = Heard.Of(liar);
        Assert.Equal(4, heard.Prompt!.CachedTokens);
        Assert.Equal(lab.Alone(liar).Tokens, heard.Choices[0].Tokens);
    }

    [Fact]
    public void Nobody_loses_a_page_or_a_row_to_a_guess()
    {
        using var lab = Lab(Wrong, pages: 9, rows: 8);
        for (var i = 0; i < 3; i++) lab.Submit(Ask(14, Four) with { Prompt = [i, 1, 2, 3, 4, 5], Priority = i });
        using var plain = Lab(new Guessing(_ => []), pages: 9, rows: 8);
        for (var i = 0; i < 3; i++) plain.Submit(Ask(14) with { Prompt = [i, 1, 2, 3, 4, 5], Priority = i });
        Assert.Equal(plain.Finish(), lab.Finish());
        Assert.Equal(plain.Figures.Preemptions, lab.Figures.Preemptions);
        Assert.True(lab.Figures.DraftedTokens > 0);
    }

    [Fact]
    public void Guesses_are_left_out_where_nobody_wants_them()
    {
        var drafter = new Guessing(_ => [0]);
        using var lab = Lab(drafter);
        lab.Submit(Ask(8));
        lab.Submit(Ask(8, new(0)));
        lab.Submit(Ask(1, Four));
        lab.Submit(Ask(8, Four with { MostSequences = 2 }) with { Choices = 3 });
        lab.Finish();
        Assert.Equal((0, 0L), (drafter.Asked, lab.Figures.Drafts));
        Assert.Equal("num_speculative_tokens", Assert.Throws<RequestRefusedException>(() => lab.Submit(Ask(8, new(33)))).Parameter);
    }

    [Fact]
    public void An_answer_ends_at_its_stop_token_whatever_is_guessed_behind_it()
    {
        using var lab = Lab(Right);
        var said = lab.Alone(lab.Submit(Ask(20))).Tokens;
        var stop = said[12];
        var cut = lab.Submit(Ask(20, Four) with { Sampling = new() { Temperature = 0, StopTokenIds = [stop] } });
        lab.Finish();
        var heard = Heard.Of(cut).Choices[0];
        Assert.Equal(said[..said.IndexOf(stop)], heard.Tokens);
        Assert.Equal(stop, heard.End!.StopToken);
    }
}
