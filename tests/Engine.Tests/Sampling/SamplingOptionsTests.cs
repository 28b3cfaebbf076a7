using System.Collections.Frozen;
using Serving.Sampling;

namespace Serving.Tests;

/// <summary>Options are checked once, with messages for the person who sent them; histories roll back.</summary>
public sealed class SamplingOptionsTests
{
    public static TheoryData<string, string, SamplingOptions> Bad => new()
    {
        { "temperature", "temperature is -1; it must be a finite number of at least 0.", new() { Temperature = -1 } },
        { "temperature", "temperature is NaN; it must be a finite number of at least 0.", new() { Temperature = float.NaN } },
        { "temperature", "temperature is Infinity; it must be a finite number of at least 0.", new() { Temperature = float.PositiveInfinity } },
        { "top_p", "top_p is 1.5; it must be between 0 and 1.", new() { TopP = 1.5f } },
        { "top_k", "top_k is -2; it must be at least -1.", new() { TopK = -2 } },
        { "min_p", "min_p is 2; it must be between 0 and 1.", new() { MinP = 2 } },
        { "typical_p", "typical_p is -0.5; it must be between 0 and 1.", new() { TypicalP = -0.5f } },
        { "repetition_penalty", "repetition_penalty is 0; it must be a finite number above 0.", new() { RepetitionPenalty = 0 } },
        { "presence_penalty", "presence_penalty is 3; it must be between -2 and 2.", new() { PresencePenalty = 3 } },
        { "frequency_penalty", "frequency_penalty is -3; it must be between -2 and 2.", new() { FrequencyPenalty = -3 } },
        { "logprobs", "logprobs is 21; it must be between 0 and 20.", new() { Logprobs = 21 } },
        { "min_tokens", "min_tokens is -1; it must be at least 0.", new() { MinTokens = -1 } },
        { "stop_token_ids", "stop_token_ids holds 10; token ids lie between 0 and 9.", new() { StopTokenIds = [3, 10] } },
        { "stop_token_ids", "stop_token_ids is not set; give an empty list for none.", new() { StopTokenIds = default } },
        { "bad_words_token_ids", "bad_words_token_ids holds -1; token ids lie between 0 and 9.", new() { BannedTokenIds = [-1] } },
        { "bad_words_token_ids", "bad_words_token_ids holds 11 ids; the vocabulary has 10 tokens.", new() { BannedTokenIds = [.. new int[11]] } },
        { "allowed_token_ids", "allowed_token_ids is empty, so no token could be chosen; leave it out to allow all.", new() { AllowedTokenIds = [] } },
        { "allowed_token_ids", "allowed_token_ids holds 10; token ids lie between 0 and 9.", new() { AllowedTokenIds = [10] } },
        { "logit_bias", "logit_bias names token 10; token ids lie between 0 and 9.", Biased(10, 1) },
        { "logit_bias", "logit_bias of token 3 is 101; it must be between -100 and 100.", Biased(3, 101) },
        { "logit_bias", "logit_bias of token 3 is NaN; it must be between -100 and 100.", Biased(3, float.NaN) },
    };

    [Theory]
    [MemberData(nameof(Bad), DisableDiscoveryEnumeration = true)]
    public void A_parameter_out_of_range_is_named_with_its_value_and_range(string parameter, string message, SamplingOptions options)
    {
        Assert.Equal(new SamplingFault(parameter, message), options.Fault(10));
        Assert.Equal(parameter, Assert.Throws<ArgumentException>(() => options.Checked(10)).ParamName);
    }

    [Fact]
    public void Good_options_come_back_as_they_are()
    {
        var options = new SamplingOptions { TopK = -1, TopP = 0, Logprobs = 20, AllowedTokenIds = [9], StopTokenIds = [0] };
        Assert.Same(options, options.Checked(10));
    }

    [Fact]
    public void A_history_rolls_back_what_was_generated_and_nothing_else()
    {
        var history = new TokenHistory([1, 1, 2]);
        history.Add(1);
        history.Add(4);
        history.Add(1);
        var fork = history.Fork();
        history.Remove([1, 4]);
        Assert.Equal((1, 0, 1, 4L), (history.TimesGenerated(1), history.TimesGenerated(4), history.Generated, history.Position));
        Assert.Equal((2, 1, 3, 6L), (fork.TimesGenerated(1), fork.TimesGenerated(4), fork.Generated, fork.Position));
        Assert.Throws<InvalidOperationException>(() => history.Remove([2]));
        Assert.Throws<InvalidOperationException>(() => history.Remove([4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => history.Add(-1));
    }

    static SamplingOptions Biased(int id, float bias) => new() { LogitBias = new Dictionary<int, float> { [id] = bias }.ToFrozenDictionary() };
}
