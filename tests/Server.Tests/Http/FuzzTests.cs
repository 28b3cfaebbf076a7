using System.Net;
using System.Text;

namespace Serving.Tests;

/// <summary>Mutated requests: whatever comes, the answer is a reply or a refusal of the client, and nothing stays behind.</summary>
public sealed class FuzzTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    const int Seed = 20261121;
    const int Requests = 600;

    static readonly string[] Valid =
    [
        """{"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "n": 2, "stop": ["a", "b"], "max_tokens": 5, "logprobs": true, "top_logprobs": 3}""",
        """{"model": "tiny", "messages": [{"role": "system", "content": [{"type": "text", "text": "é"}]}], "stream": true, "stream_options": {"include_usage": true}, "logit_bias": {"65": -100}}""",
        """{"model": "tiny", "prompt": ["a\n", "b"], "n": 2, "best_of": 3, "echo": true, "logprobs": 2, "max_tokens": 4, "seed": 1}""",
        """{"model": "tiny", "prompt": [[1, 2], [3]], "stream": true, "temperature": 1.5, "top_p": 0.5, "top_k": 3, "min_p": 0.1, "max_tokens": 4}""",
    ];

    static readonly string[] Pieces = ["null", "true", "0", "-1", "1e999", "1.5", "\"\"", "[]", "{}", "[[]]", "\"\\ud800\"", "9223372036854775808", "\"a\"", "{\"a\":1}", ","];

    [Fact]
    public async Task No_request_breaks_the_server_or_leaves_something_behind()
    {
        var random = new Random(Seed);
        for (var i = 0; i < Requests; i++)
        {
            var which = random.Next(Valid.Length);
            var body = Mutated(Valid[which], random);
            using var reply = await fixture.Server.PostAsync(which < 2 ? "/v1/chat/completions" : "/v1/completions", body);
            var text = await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.True(reply.StatusCode < HttpStatusCode.InternalServerError, $"Request {i} of seed {Seed} gave {(int)reply.StatusCode}: {body}\n{text}");
            if (!reply.IsSuccessStatusCode)
                Assert.StartsWith("""{"error":{"message":""", text);
        }
        await fixture.Server.IdleAsync();
    }

    static string Mutated(string json, Random random)
    {
        var text = new StringBuilder(json);
        for (var edits = random.Next(1, 4); edits > 0; edits--)
        {
            var at = random.Next(text.Length);
            switch (random.Next(4))
            {
                case 0:
                    text.Remove(at, Math.Min(random.Next(1, 6), text.Length - at));
                    break;
                case 1:
                    text.Insert(at, Pieces[random.Next(Pieces.Length)]);
                    break;
                case 2:
                    text[at] = (char)random.Next(1, 0x3000);
                    break;
                default:
                    ReplaceValue(text, random);
                    break;
            }
        }
        return text.ToString();
    }

    /// <summary>Puts something else where a member's value was: the likeliest way into deeper code.</summary>
    static void ReplaceValue(StringBuilder text, Random random)
    {
        var colons = Enumerable.Range(0, text.Length).Where(i => text[i] == ':').ToList();
        if (colons.Count == 0)
            return;
        var start = colons[random.Next(colons.Count)] + 1;
        var end = start;
        while (end < text.Length && text[end] is not (',' or '}' or ']'))
            end++;
        text.Remove(start, end - start).Insert(start, Pieces[random.Next(Pieces.Length)]);
    }
}
