using Serving.Server.Bench;
using Serving.Server.Commands;

namespace Serving.Tests;

public sealed class CompareTests
{
    [Fact]
    public void A_missing_library_is_told_with_the_command_that_fetches_it()
    {
        var error = Assert.Throws<FileNotFoundException>(() => LlamaLibrary.Open(Path.Combine(Path.GetTempPath(), "no-such-folder")));
        Assert.Contains("npm install", error.Message);
        Assert.Contains("--llama-cpp", error.Message);
    }

    [Theory, InlineData("decode:32"), InlineData("decode:0:1"), InlineData("prefill:x"), InlineData("decode:32:513")]
    public async Task A_scenario_that_makes_no_sense_is_refused(string scenario)
    {
        var error = await Assert.ThrowsAsync<SettingException>(() =>
            CommandLine.Root().Parse(["bench", "compare", "model.gguf", "--scenarios", scenario])
                .InvokeAsync(new() { EnableDefaultExceptionHandler = false }, TestContext.Current.CancellationToken));
        Assert.Contains(scenario, error.Message);
    }
}
