using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>What the engine says of its own speed, and what follows for those who wait.</summary>
public sealed class PaceTests
{
    [Theory]
    [InlineData(0, 0, 50, 100, 0)]
    [InlineData(1, 100, 0, 100, 1)]
    [InlineData(10, 0, 50, 100, 5)]
    [InlineData(10, 1000, 100, 400, 5)]
    [InlineData(10, 1000, 100, 0, 0)]
    [InlineData(long.MaxValue / 2, 0, 1000, 1, 1e6)]
    public void A_backlog_takes_its_prompts_and_answers_at_the_measured_rate(long requests, long prompts, double answer, double rate, double seconds) =>
        Assert.Equal(seconds, Pace.Wait(requests, prompts, answer, rate).TotalSeconds, 6);

    [Theory]
    [InlineData(10, 9.5, 1)]
    [InlineData(10, 7.5, 3)]
    [InlineData(10, 20, 1)]
    [InlineData(1e6, 0, 3600)]
    public void A_retry_is_due_when_the_wait_has_shrunk_to_what_is_allowed(double wait, double allowed, int seconds) =>
        Assert.Equal(seconds, Pace.RetryAfter(TimeSpan.FromSeconds(wait), TimeSpan.FromSeconds(allowed)).TotalSeconds);

    [Theory]
    [InlineData(1000, 512, 250)]
    [InlineData(4000, 512, 512)]   // faster than the largest step
    [InlineData(20, 512, 64)]      // fewer rows would only read the weights more often
    [InlineData(20, 48, 48)]
    public void Prompts_are_cut_by_the_speed_of_steps_of_many_rows(int rowsPerSecond, int most, int expected)
    {
        var pace = new Pace();
        var wanted = TimeSpan.FromMilliseconds(250);
        Assert.Equal(most, pace.PromptRows(wanted, most));
        for (var i = 0; i < 100; i++)
        {
            pace.Stepped(rowsPerSecond, 0, TimeSpan.FromSeconds(rowsPerSecond < 64 ? 4.0 / 64 : 1));
            pace.Stepped(128, 0, TimeSpan.FromSeconds(128.0 / rowsPerSecond));
            pace.Stepped(8, 0, TimeSpan.FromSeconds(1));
        }
        Assert.Equal(expected, pace.PromptRows(wanted, most));
    }

    [Fact]
    public void The_rate_follows_the_load_and_forgets()
    {
        var pace = new Pace();
        Assert.Equal(TimeSpan.Zero, pace.Wait(100, 10_000, 1));
        for (var i = 0; i < 100; i++) pace.Stepped(10, 0, TimeSpan.FromSeconds(0.1));
        Assert.Equal(100, pace.RowsPerSecond, 6);
        for (var i = 0; i < 3000; i++) pace.Stepped(40, 0, TimeSpan.FromSeconds(0.1));
        Assert.InRange(pace.RowsPerSecond, 395, 400);
        for (var i = 0; i < 1000; i++) pace.Answered(i % 2 == 0 ? 10 : 30);
        Assert.InRange(pace.AnswerTokens, 18, 22);
        Assert.Equal(pace.Wait(10, 100, 1).TotalSeconds * 2, pace.Wait(10, 100, 0.5).TotalSeconds, 5);
        pace.Stepped(40, 10, TimeSpan.FromSeconds(0.1));
        Assert.InRange(pace.Wait(10, 100, 1).TotalSeconds, 0.25, 0.26);
    }
}
