using System.Collections.Immutable;
using Serving.Attention;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving.Tests;

/// <summary>Who computes how much, and when: counted in steps.</summary>
public sealed class SchedulerTests
{
    static EngineLab Lab(int pages, int pageTokens = 4, int sequences = 0, int budget = 64, params RowPolicy[] rows) => new(
        Layouts.Of(pageTokens, rows.Length == 0 ? [RowPolicy.All] : rows),
        new([.. Enumerable.Repeat(pages, Math.Max(1, rows.Length))]),
        new() { MaxSequences = sequences > 0 ? sequences : Math.Min(64, budget), TokensPerStep = budget });

    static GenerationRequest Ask(int prompt, int tokens, int first = 0, int priority = 0, int choices = 1) => new()
    {
        Prompt = [.. Enumerable.Range(0, prompt).Select(i => (first + i) % 29)], MaxTokens = tokens, Priority = priority, Choices = choices,
        Sampling = new() { Temperature = 0 },
    };

    [Fact]
    public void A_long_prompt_among_sixteen_streams_delays_none_of_them()
    {
        using var lab = Lab(pages: 1000, budget: 32);
        var streams = Enumerable.Range(0, 16).Select(i => lab.Submit(Ask(prompt: 2, tokens: 100, first: i))).ToArray();
        lab.Step();
        foreach (var stream in streams) Heard.Of(stream);
        var late = lab.Submit(Ask(prompt: 300, tokens: 1));
        var steps = 0;
        for (; late.Unfinished > 0; steps++)
        {
            lab.Step();
            Assert.All(streams, stream => Assert.True(stream.Events.TryRead(out _)));
            Assert.All(streams, stream => Assert.False(stream.Events.TryRead(out _)));
        }

        Assert.Equal(19, steps); // 300 tokens beside 16 rows in steps of 32
    }

    [Fact]
    public void A_short_prompt_does_not_wait_for_the_end_of_a_long_one()
    {
        using var lab = Lab(pages: 1000, budget: 32);
        lab.Submit(Ask(prompt: 1000, tokens: 1));
        lab.Step();
        var late = lab.Submit(Ask(prompt: 20, tokens: 1, first: 5));
        lab.Step();
        lab.Step();
        lab.Step();
        Assert.Equal(0, late.Unfinished);
    }

    [Fact]
    public void Prompts_beside_answers_are_cut_and_alone_are_not()
    {
        var scheduler = new Scheduler(new Cache.PageLedger(Layouts.Of(4, RowPolicy.All), new([1000]), sharePrefixes: false), maxSequences: 8, tokensPerStep: 64)
        {
            PromptRows = 10,
        };
        Add(prompt: 100, limit: 200);
        Assert.Equal(64, Step());
        Assert.Equal(36, Step());
        scheduler.Running[0].Append(1);
        Add(prompt: 100, limit: 200);
        Assert.Equal(1 + 10, Step());

        void Add(int prompt, int limit) => scheduler.Add(new(Ask(prompt, tokens: 1), limit, pageGroups: 1));

        int Step()
        {
            var rows = scheduler.Plan().Rows;
            scheduler.Commit();
            return rows;
        }
    }

    [Fact]
    public void A_prompt_alone_takes_the_whole_step()
    {
        using var lab = Lab(pages: 1000, budget: 32);
        var only = lab.Submit(Ask(prompt: 320, tokens: 0));
        Assert.Equal(10, lab.Finish());
        Assert.Equal(FinishReason.Length, Heard.Of(only).Choices[0].End!.Reason);
    }

    [Fact]
    public void Sixty_four_requests_on_pages_for_eight_are_preempted_and_say_the_same()
    {
        using var lab = Lab(pages: 64);
        var all = Enumerable.Range(0, 64).Select(i => lab.Submit(Ask(prompt: 8 + i % 5, tokens: 24, first: i))).ToArray();
        var (preemptions, lookups) = (0L, 0L);
        while (lab.Step())
        {
            if (lab.Figures.Preemptions > preemptions) Assert.Equal(lookups, lab.Figures.PrefixLookups);
            (preemptions, lookups) = (lab.Figures.Preemptions, lab.Figures.PrefixLookups);
        }

        Assert.True(preemptions >= 20, $"{preemptions} preemptions");
        Assert.True(lab.Figures.PreemptedTokens > preemptions);
        Assert.All(all, generation => Assert.Equal(lab.Alone(generation).Tokens, Heard.Of(generation).Choices[0].Tokens));
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void Waiting_requests_go_by_priority_and_then_by_arrival()
    {
        using var lab = Lab(pages: 100, sequences: 1, budget: 8);
        var order = new List<int>();
        int[] priorities = [5, 1, 5, 0, 1];
        var all = priorities.Select((priority, i) => lab.Submit(Ask(prompt: 3, tokens: 2, first: i, priority: priority))).ToArray();
        while (lab.Step())
            for (var i = 0; i < all.Length; i++)
                if (all[i].Unfinished == 0 && !order.Contains(i)) order.Add(i);
        Assert.Equal([3, 1, 4, 0, 2], order);
    }

    [Fact]
    public void Pages_are_taken_from_the_lowest_priority_and_then_from_the_youngest()
    {
        using var lab = Lab(pages: 12);
        var low = lab.Submit(Ask(prompt: 12, tokens: 8, first: 0, priority: 1));
        var older = lab.Submit(Ask(prompt: 12, tokens: 20, first: 5));
        var younger = lab.Submit(Ask(prompt: 12, tokens: 20, first: 9));
        var victims = new List<Generation>();
        while (lab.Step())
            foreach (var generation in new[] { low, older, younger })
                if (generation.Sequences[0] is { State: SequenceState.Waiting, PromptPublished: true } && !victims.Contains(generation))
                    victims.Add(generation);
        Assert.Equal([low, younger], victims);
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void A_choice_per_seat_and_no_more_than_the_seats()
    {
        using var lab = Lab(pages: 100, sequences: 4, budget: 16);
        lab.Submit(Ask(prompt: 6, tokens: 5, choices: 3));
        lab.Submit(Ask(prompt: 6, tokens: 5, choices: 2));
        while (lab.Step()) Assert.InRange(lab.Figures.Running, 0, 4);
        Assert.Equal(3, lab.Figures.LargestBatch);
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void Choices_share_the_pages_and_the_computation_of_their_prompt()
    {
        using var lab = Lab(pages: 100);
        lab.Submit(Ask(prompt: 18, tokens: 2, choices: 5) with { Sampling = new() { Temperature = 1, Seed = 4 } });
        lab.Step();
        Assert.Equal((18, 4 + 5, 5), (lab.Figures.Rows, lab.Figures.PagesHeld, lab.Figures.Running));
        lab.Step();
        Assert.Equal(18 + 5, lab.Figures.Rows);
        lab.CheckNothingIsLeft();
        var heard = Heard.Of(lab.Generations[0]);
        Assert.True(heard.Choices.Select(choice => string.Join(' ', choice.Tokens)).Distinct().Count() > 1);
    }

    [Fact]
    public void Cancelling_frees_the_pages_within_one_step_in_every_phase()
    {
        for (var phase = 0; phase < 6; phase++)
        {
            using var lab = Lab(pages: 40, sequences: 4, budget: 8);
            var generation = lab.Submit(Ask(prompt: 20, tokens: 10, choices: 3)); // three steps of prompt, then a step for each token
            for (var step = 0; step < phase; step++) lab.Step();
            Assert.Equal(phase > 0, lab.Figures.PagesHeld > 0);
            generation.Cancel();
            lab.Step();
            lab.CheckNothingIsLeft();
            Assert.All(Heard.Of(generation).Choices, choice => Assert.Equal(FinishReason.Cancelled, choice.End!.Reason));
        }
    }

    [Fact]
    public void Cancelling_a_waiting_request_leaves_the_others_alone()
    {
        using var lab = Lab(pages: 100, sequences: 1, budget: 8);
        var first = lab.Submit(Ask(prompt: 5, tokens: 5));
        var second = lab.Submit(Ask(prompt: 5, tokens: 5, first: 3));
        lab.Step();
        second.Cancel();
        lab.Step();
        Assert.Equal((0, 1, 0), (second.Unfinished, first.Unfinished, lab.Figures.Waiting));
        lab.Finish();
        Assert.Equal(lab.Alone(first).Tokens, Heard.Of(first).Choices[0].Tokens);
    }

    [Theory]
    [InlineData(7, 0), InlineData(0, 6), InlineData(9, 4)]
    public void A_rule_that_forgets_holds_a_constant_number_of_pages(int window, int chunk)
    {
        using var lab = Lab(pages: 6, budget: 8, rows: [new(window, chunk)]);
        var generation = lab.Submit(Ask(prompt: 50, tokens: 200));
        var (most, mostDecoding) = (0, 0);
        for (var step = 1; lab.Step(); step++)
        {
            most = Math.Max(most, lab.Figures.PagesHeld);
            // The prompt takes seven steps.
            if (step > 7) mostDecoding = Math.Max(mostDecoding, lab.Figures.PagesHeld);
        }

        Assert.InRange(most, 1, lab.Layout.Groups[0].MostPages(250, 8));
        // One token reads the last rows alone: as many pages as those can touch.
        var rows = chunk == 0 ? window : window == 0 ? chunk : Math.Min(window, chunk);
        Assert.InRange(mostDecoding, 1, (rows - 2) / lab.Layout.PageTokens + 2);
        Assert.Equal(lab.Alone(generation).Tokens, Heard.Of(generation).Choices[0].Tokens);
    }

    [Theory, InlineData(0), InlineData(4)]
    public void A_steady_step_of_the_scheduler_allocates_nothing(int guesses)
    {
        var layout = Layouts.Of(4, RowPolicy.All, new(Window: 6));
        var pages = new Cache.PageLedger(layout, new([40, 20]), sharePrefixes: true);
        var scheduler = new Scheduler(pages, maxSequences: 8, tokensPerStep: 16, new PromptLookup());
        var (allocated, made) = (0L, 0);
        for (var step = 0; step < 2000; step++)
        {
            while (scheduler.Running.Count + scheduler.Waiting < 6)
                scheduler.Add(new(Ask(prompt: 5 + made % 3, tokens: 20, first: made++), lengthLimit: 24, pageGroups: 2, drafting: new(guesses) { ShortestMatch = 1 })
                {
                    PromptPublished = true,
                });
            var before = GC.GetAllocatedBytesForCurrentThread();
            var batch = scheduler.Plan();
            scheduler.Draft();
            var planned = GC.GetAllocatedBytesForCurrentThread();
            foreach (var sequence in batch.Sequences)
                if (sequence.Drafted > step % 3) sequence.Confirm();
            before += GC.GetAllocatedBytesForCurrentThread() - planned;
            scheduler.Commit();
            if (step >= 500) allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            foreach (var sequence in batch.Sequences.ToArray())
            {
                if (sequence.Remaining == 0) sequence.Append(step % 3);
                if (sequence.Known.Length == sequence.LengthLimit) scheduler.Finish(sequence);
            }
        }

        Assert.True(made > 50 && scheduler.Counts.Preemptions == 0, $"{made} sequences, {scheduler.Counts.Preemptions} preemptions");
        Assert.Equal(0, allocated);
        Assert.Equal(guesses > 0, scheduler.Counts is { AcceptedTokens: > 100 } and { DraftedTokens: > 500 });
    }
}
