using Serving.Attention;
using Serving.Sampling;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>What is refused before anybody computes, with which words.</summary>
public sealed class DoorTests
{
    static readonly GenerationRequest Good = new() { Prompt = [1, 2, 3], MaxTokens = 4 };

    static EngineLab Lab(int pages = 4) => new(Layouts.Of(4, RowPolicy.All), new([pages]), new()
    {
        MaxSequences = 4, TokensPerStep = 8, MaxQueuedRequests = 3, MaxQueuedTokens = 10,
    });

    static RequestRefusedException Refused(EngineLab lab, GenerationRequest request) =>
        Assert.Throws<RequestRefusedException>(() => lab.Submit(request));

    [Fact]
    public void What_makes_no_sense_is_refused_with_its_name_and_range()
    {
        using var lab = Lab();
        (GenerationRequest Request, string Parameter, string Words)[] cases =
        [
            (Good with { Prompt = [] }, "prompt", "at least one"),
            (Good with { Prompt = default }, "prompt", "at least one"),
            (Good with { Prompt = [1, 29] }, "prompt", "token 29; token ids lie between 0 and 28"),
            (Good with { Prompt = [-1] }, "prompt", "token -1"),
            (Good with { Choices = 5 }, "n", "n is 5; it must be between 1 and 4"),
            (Good with { Choices = 0 }, "n", "n is 0"),
            (Good with { MaxTokens = -1 }, "max_tokens", "-1"),
            (Good with { PromptLogprobs = 21 }, "prompt_logprobs", "21"),
            (Good with { Sampling = new() { TopP = 2 } }, "top_p", "2"),
            (Good with { Pooling = Pooling.Last, Choices = 2 }, "n", "must be 1"),
        ];
        foreach (var (request, parameter, words) in cases)
        {
            var refusal = Refused(lab, request);
            Assert.Equal((RefusalReason.Invalid, parameter), (refusal.Reason, refusal.Parameter));
            Assert.Contains(words, refusal.Message);
        }

        Assert.False(lab.Step());
    }

    [Fact]
    public void What_can_never_fit_is_refused_with_the_numbers()
    {
        using var lab = Lab(pages: 4);
        var refusal = Refused(lab, Good with { Prompt = [.. new int[10]], MaxTokens = 7 });
        Assert.Equal(RefusalReason.TooLong, refusal.Reason);
        Assert.Contains("10 tokens and 7 more are wanted, 17 in all; a sequence holds at most 16", refusal.Message);
        Assert.Contains("6 cache pages of 4 tokens; the cache has 4", Refused(lab, Good with { Prompt = [.. new int[10]], Choices = 4 }).Message);
        Assert.Equal(RefusalReason.TooLong, Refused(lab, Good with { MaxTokens = int.MaxValue }).Reason);
    }

    [Fact]
    public void The_longest_request_that_fits_is_served()
    {
        using var lab = Lab(pages: 4);
        var exact = lab.Submit(Good with { Prompt = [.. new int[9]], MaxTokens = 7 });
        lab.Finish();
        Assert.Equal(7, Heard.Of(exact).Choices[0].Tokens.Count);
        var open = lab.Submit(Good with { MaxTokens = null });
        lab.Finish();
        var said = Heard.Of(open).Choices[0];
        Assert.Equal((13, FinishReason.Length), (said.Tokens.Count, said.End!.Reason));
    }

    [Fact]
    public void Too_many_waiting_requests_or_tokens_are_refused_until_some_have_begun()
    {
        using var lab = Lab();
        for (var i = 0; i < 3; i++) lab.Submit(Good);
        var refusal = Refused(lab, Good);
        Assert.Equal(RefusalReason.Overloaded, refusal.Reason);
        Assert.Contains("3 requests with 9 prompt tokens wait already, for about 0 s; at most 3 requests with 10 tokens", refusal.Message);
        lab.Step();
        lab.Submit(Good);
        lab.Submit(Good with { Prompt = [1, 2, 3, 4, 5] });
        Assert.Equal(RefusalReason.Overloaded, Refused(lab, Good).Reason);
        lab.Generations[^1].Cancel();
        lab.Step();
        lab.Submit(Good);
        lab.Finish();
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void A_constraint_that_cannot_be_made_costs_no_place()
    {
        using var lab = Lab();
        for (var i = 0; i < 10; i++)
            Assert.Throws<FormatException>(() => lab.Submit(Good with { Constraint = () => throw new FormatException() }));
        lab.Submit(Good);
    }

    [Theory]
    [InlineData("MaxSequences is 0; it must lie between 1 and", 0, 512, 64)]
    [InlineData("TokensPerStep is 4; it must lie between 8 and", 8, 4, 64)]
    [InlineData("PageTokens is 0", 8, 8, 0)]
    public void Options_out_of_range_are_named(string words, int sequences, int tokens, int page) => Assert.Contains(words, Assert.Throws<ArgumentException>(
        () => new EngineOptions { MaxSequences = sequences, TokensPerStep = tokens, PageTokens = page }.Checked()).Message);
}
