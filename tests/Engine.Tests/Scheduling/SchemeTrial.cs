using Serving.Cache;
using Serving.Devices;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>
/// What a checkpoint's scheme can do with rows of a type, found by doing it: whatever the schedule, four requests say to the last bit what
/// each says alone, and the schedule was really such.
/// </summary>
/// <param name="Chunked">Prompts in steps of five tokens.</param>
/// <param name="Prefix">Prompts that find their pages.</param>
/// <param name="Batch">Four sequences in one step.</param>
/// <param name="Preempt">Sequences that lose their pages and come back.</param>
sealed record SchemeTrial(bool Chunked, bool Prefix, bool Batch, bool Preempt)
{
    /// <summary>A multiple of the strides of rows that cover several tokens.</summary>
    const int PageTokens = 12;

    const int Longest = 60;

    public static SchemeTrial Of(string folder, CacheType type)
    {
        var options = new EngineOptions { CacheType = type, PageTokens = PageTokens, MaxSequences = 4, TokensPerStep = 5, MaxModelLength = Longest, SnapshotTokens = 6 };
        var requests = Requests();
        var alone = Alone(folder, options with { TokensPerStep = Longest, EnablePrefixCaching = false }, requests);

        using var decoder = new PagedDecoder(folder, options, layout => Room(layout, sequences: 8), threads: 1);
        using var engine = decoder.Engine();
        var rounds = new[] { Ask(engine, requests), Ask(engine, requests) };
        var hits = engine.Figures.PrefixHits;
        using var crowd = decoder.Engine();
        var together = AskTogether(crowd, requests);

        using var small = new PagedDecoder(folder, options with { TokensPerStep = 24 }, layout => Room(layout, sequences: 1, more: 2), threads: 1);
        using var pressed = small.Engine();
        var returned = AskTogether(pressed, requests);
        return new(
            rounds[0].SequenceEqual(alone), hits >= requests.Length && rounds[1].SequenceEqual(alone),
            crowd.Figures.LargestBatch == 4 && together.SequenceEqual(alone), pressed.Figures.Preemptions > 0 && returned.SequenceEqual(alone));
    }

    /// <summary>Two prompts that begin alike, one that ends in a page and one that ends with it; each choice of a token is seen by its probability.</summary>
    static GenerationRequest[] Requests()
    {
        int[] common = Draw(1, 30);
        return [.. new[] { (int[])[.. common, .. Draw(2, 9)], [.. common, .. Draw(3, 14)], Draw(4, 29), Draw(5, 36) }
            .Select((prompt, i) => new GenerationRequest { Prompt = [.. prompt], MaxTokens = 10, Sampling = new() { Temperature = 0.8f, Seed = i, Logprobs = 0 } })];

        static int[] Draw(int seed, int count)
        {
            var random = new Random(seed);
            return [.. Enumerable.Range(0, count).Select(_ => random.Next(100))];
        }
    }

    static string[] Alone(string folder, EngineOptions options, GenerationRequest[] requests)
    {
        using var decoder = new PagedDecoder(folder, options, layout => Room(layout, sequences: 2), threads: 1);
        using var engine = decoder.Engine();
        return Ask(engine, requests);
    }

    static string[] Ask(SteppedEngine engine, GenerationRequest[] requests)
    {
        var said = new List<string>();
        foreach (var request in requests) said.AddRange(AskTogether(engine, [request]));
        return [.. said];
    }

    static string[] AskTogether(SteppedEngine engine, GenerationRequest[] requests)
    {
        var generations = requests.Select(engine.Submit).ToArray();
        engine.Finish();
        return [.. generations.Select(generation => Heard.Of(generation).Choices[0]).Select(choice => choice.End?.Error
            ?? string.Join(" ", choice.Tokens.Zip(choice.Logprobs, (token, score) => $"{token}:{BitConverter.SingleToInt32Bits(score!.Value):x}")))];
    }

    static CacheSize Room(CacheLayout layout, int sequences, int more = 0) => new(
        [.. layout.Groups.Select(group => sequences * group.PagesOver(Longest) + more)],
        layout.States.PlaceBytes > 0 ? 4 : 0, layout.States.NeedsSnapshots ? 32 : 0);
}
