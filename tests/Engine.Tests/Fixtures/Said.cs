using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>What one choice said: its tokens with their log-probabilities, to the last bit.</summary>
/// <param name="Cached">Prompt tokens whose rows were shared instead of computed.</param>
/// <param name="Tokens">The tokens, without the stop token.</param>
/// <param name="End">How it ended; null when it failed to.</param>
sealed record Said(int Cached, List<(int Id, float? Logprob)> Tokens, GenerationEvent.Finished? End)
{
    /// <summary>The ids, and the stop token that ended them.</summary>
    public int[] Ids => [.. Tokens.Select(token => token.Id), .. End?.StopToken is { } stop ? [stop] : Array.Empty<int>()];

    /// <summary>Reads all choices of a generation to their end.</summary>
    public static async Task<Said[]> ReadAllAsync(Generation generation)
    {
        var said = Enumerable.Range(0, generation.Request.Choices).Select(_ => new Said(0, [], null)).ToArray();
        await foreach (var happened in generation.Events.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            if (happened is GenerationEvent.Prompt prompt) said = [.. said.Select(choice => choice with { Cached = prompt.CachedTokens })];
            if (happened is GenerationEvent.Token { Sampled: var token } spoken) said[spoken.Choice].Tokens.Add((token.Id, token.Logprob));
            if (happened is GenerationEvent.Finished end) said[end.Choice] = said[end.Choice] with { End = end };
        }

        Assert.All(said, choice => Assert.True(choice.End is { Error: null }, $"Ended with {choice.End}"));
        return said;
    }

    /// <summary>Asks, and reads the answer of a single choice.</summary>
    public static async Task<Said> AskAsync(LoadedModel model, GenerationRequest request) =>
        (await ReadAllAsync(model.Engine.Start(request, TestContext.Current.CancellationToken)))[0];

    /// <summary>Requires equal tokens, equal log-probabilities and equal ends.</summary>
    public static void Same(string what, Said expected, Said actual)
    {
        Assert.True(
            expected.Tokens.SequenceEqual(actual.Tokens),
            $"{what}: said {string.Join(' ', actual.Tokens)}, expected {string.Join(' ', expected.Tokens)}");
        Assert.Equal((expected.End!.Reason, expected.End.StopToken), (actual.End!.Reason, actual.End.StopToken));
    }
}
