using Serving.Text;

namespace Serving.Tests;

public sealed class StopStringsTests
{
    [Fact]
    public void A_stop_across_tokens_is_found_and_its_beginning_never_sent()
    {
        var stops = new StopStrings(["###"]);
        Assert.Equal(new StopStep("Hello ", 0, null), stops.Push("Hello #"));
        Assert.Equal(new StopStep("", 0, null), stops.Push("#"));
        Assert.Equal(new StopStep("", 0, "###"), stops.Push("# more"));
        Assert.Equal("###", stops.Stop);
        Assert.Equal(new StopStep("", 0, "###"), stops.Push("anything"));
        Assert.Equal(new StopStep("", 0, "###"), stops.Flush());
    }

    [Fact]
    public void What_only_looked_like_a_stop_is_sent_later()
    {
        var stops = new StopStrings(["\nUser:"]);
        Assert.Equal(new StopStep("a", 0, null), stops.Push("a\nUs"));
        Assert.Equal(new StopStep("\nUseful", 2, null), stops.Push("eful"));
        Assert.Equal(new StopStep("", 2, null), stops.Push("\nUser"));
        Assert.Equal(new StopStep("\nUser!", 3, null), stops.Flush("!"));
    }

    [Fact]
    public void A_failed_beginning_may_hold_another_one()
    {
        var stops = new StopStrings(["aab"]);
        Assert.Equal("a", stops.Push("aaa").Text);
        Assert.Equal(new StopStep("", 1, "aab"), stops.Push("b") with { Tokens = 1 });
    }

    [Fact]
    public void The_stop_complete_first_wins_and_the_longest_of_those_that_end_together()
    {
        Assert.Equal(new StopStep("x", 0, "ab"), new StopStrings(["abc", "ab"]).Push("xabc"));
        Assert.Equal(new StopStep("x", 0, "yab"), new StopStrings(["b", "ab", "yab"]).Push("xyab"));
    }

    [Fact]
    public void The_stop_itself_is_sent_when_asked_for() =>
        Assert.Equal(new StopStep("x END", 0, "END"), new StopStrings(["END"], includeStopInOutput: true).Push("x END y"));

    [Fact]
    public void Tokens_count_as_sent_with_the_last_of_their_text()
    {
        var stops = new StopStrings(["<end>"]);
        Assert.Equal(1, stops.Push("one").Tokens);
        Assert.Equal(2, stops.Push("").Tokens);
        Assert.Equal(2, stops.Push(" two<").Tokens);
        Assert.Equal(4, stops.Push(" ").Tokens);
    }

    [Fact]
    public void Token_borders_change_nothing()
    {
        var random = new Random(7);
        for (var round = 0; round < 500; round++)
        {
            var text = string.Concat(Enumerable.Range(0, 30).Select(_ => "ab"[random.Next(2)]));
            string[] stops = [.. Enumerable.Range(0, 3).Select(_ => string.Concat(Enumerable.Range(0, random.Next(2, 7)).Select(_ => "ab"[random.Next(2)])))];
            var whole = Run(stops, [text]);
            var cut = new List<string>();
            for (int at = 0, length; at < text.Length; at += length)
                cut.Add(text.Substring(at, length = Math.Min(random.Next(1, 5), text.Length - at)));
            Assert.Equal(whole, Run(stops, cut));
            var end = Enumerable.Range(1, text.Length).FirstOrDefault(e => stops.Any(s => text[..e].EndsWith(s, StringComparison.Ordinal)));
            var stop = end == 0 ? null : stops.Where(s => text[..end].EndsWith(s, StringComparison.Ordinal)).MaxBy(s => s.Length);
            Assert.Equal((stop is null ? text : text[..(end - stop.Length)], stop), whole);
        }
    }

    static (string Text, string? Stop) Run(string[] stops, IEnumerable<string> pieces)
    {
        var matcher = new StopStrings(stops);
        var text = string.Concat(pieces.Select(piece => matcher.Push(piece).Text));
        return (text + matcher.Flush().Text, matcher.Stop);
    }

    [Fact]
    public void An_empty_stop_is_refused() => Assert.Throws<ArgumentException>(() => new StopStrings(["a", ""]));
}
