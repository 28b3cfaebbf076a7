using System.Text.Json;

namespace Serving.Tests;

public sealed class ModelTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    [Fact]
    public async Task Every_name_is_listed_with_a_time_that_does_not_change()
    {
        var list = await GetAsync("/v1/models");
        Assert.Equal("list", list.GetProperty("object").GetString());
        Assert.Equal([TestServer.ModelId, "tiny"], list.GetProperty("data").EnumerateArray().Select(m => m.GetProperty("id").GetString()));
        Assert.All(list.GetProperty("data").EnumerateArray(), m => Assert.Equal(1_700_000_000, m.GetProperty("created").GetInt64()));
        Assert.All(list.GetProperty("data").EnumerateArray(), m => Assert.Equal("model", m.GetProperty("object").GetString()));
    }

    [Theory]
    [InlineData("/v1/models/org/tiny")]
    [InlineData("/v1/models/org%2Ftiny")]
    public async Task A_name_may_have_slashes(string path)
    {
        Assert.Equal(TestServer.ModelId, (await GetAsync(path)).GetProperty("id").GetString());
    }

    [Fact]
    public async Task An_unknown_name_is_not_found()
    {
        using var reply = await fixture.Server.GetAsync("/v1/models/org/other");
        await ErrorTests.Check(reply, 404, "model", "model_not_found");
    }

    [Fact]
    public async Task Tokens_and_text_lead_to_each_other()
    {
        var random = new Random(7);
        for (var i = 0; i < 20; i++)
        {
            var text = string.Concat(Enumerable.Range(0, 30).Select(_ => new System.Text.Rune(random.Next(0x20, 0xD7FF))));
            var tokens = await fixture.Server.JsonAsync("/tokenize", JsonSerializer.Serialize(new { prompt = text, add_special_tokens = false, return_token_strs = true }));
            Assert.Equal(tokens.GetProperty("count").GetInt32(), tokens.GetProperty("token_strs").GetArrayLength());
            Assert.Equal(512, tokens.GetProperty("max_model_len").GetInt32());
            var back = await fixture.Server.JsonAsync("/v1/detokenize", $$"""{"tokens": {{tokens.GetProperty("tokens").GetRawText()}}}""");
            Assert.Equal(text, back.GetProperty("prompt").GetString());
        }
    }

    [Fact]
    public async Task The_version_is_told()
    {
        Assert.NotEqual("", (await GetAsync("/version")).GetProperty("version").GetString());
    }

    async Task<JsonElement> GetAsync(string path)
    {
        using var reply = await fixture.Server.GetAsync(path);
        return JsonDocument.Parse(await reply.Content.ReadAsStringAsync()).RootElement;
    }
}
