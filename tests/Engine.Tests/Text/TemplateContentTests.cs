using System.Text.Json;
using Serving.Text.Templates;

namespace Serving.Tests;

/// <summary>What came from the request is told from what the template wrote, whatever the template does with it.</summary>
public sealed class TemplateContentTests
{
    [Theory]
    [InlineData("<{{ x }}>", "<[abc]>")]
    [InlineData("{{ '<' + x + '>' }}", "<[abc]>")]
    [InlineData("{{ '<' ~ x ~ '>' ~ x }}", "<[abc]>[abc]")]
    [InlineData("{{ x[1:] + 'd' }}", "[bc]d")]
    [InlineData("{{ x[::-1] }}", "[cba]")]
    [InlineData("{{ ('  ' + x + ' ').strip() }}", "[abc]")]
    [InlineData("{{ (x + '|' + x).split('|')[1] }}", "[abc]")]
    [InlineData("{{ '-x-y'.replace('x', x) }}", "-[abc]-y")]
    [InlineData("{{ x.replace('b', '<s>') }}", "[a]<s>[c]")]
    [InlineData("{{ [x, 'd'] | join('/') }}", "[abc]/d")]
    [InlineData("{{ {'k': x} | tojson }}", "{\"k\": \"[abc]\"}")]
    [InlineData("{{ [x] }}", "[['abc']]")]
    [InlineData("{{ x | upper }}", "[ABC]")]
    [InlineData("{{ '<%s>' % x }}", "<[abc]>")]
    [InlineData("{{ '<{}>'.format(x) }}", "<[abc]>")]
    [InlineData("{{ x * 2 }}", "[abcabc]")]
    [InlineData("{% set y %}<{{ x }}>{% endset %}{{ y }}{{ y[1:] }}", "<[abc]>[abc]>")]
    [InlineData("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(x) | trim }}", "<[abc]>")]
    [InlineData("{% filter replace('<', '(') %}<{{ x }}{% endfilter %}", "([abc]")]
    [InlineData("{% for c in x %}{{ c }}{{ loop.index }}{% endfor %}", "[a]1[b]2[c]3")]
    [InlineData("{{ 'abc' if x == 'abc' }}", "abc")]
    [InlineData("{{ x | length }}", "3")]
    public void Text_of_the_request_stays_marked(string template, string marked)
    {
        var x = new Dictionary<string, JsonElement> { ["x"] = JsonSerializer.SerializeToElement("abc") };
        Assert.Equal(marked, Marked(ChatTemplate.Parse(template).Render(TemplateFixture.Chat("[]") with { Variables = x })));
    }

    [Fact]
    public void Tokens_and_dates_are_the_server_s_own()
    {
        var input = TemplateFixture.Chat("[]") with { BosToken = "<s>", EosToken = "</s>" };
        Assert.Equal("<s>2025</s>", Marked(ChatTemplate.Parse("{{ bos_token ~ strftime_now('%Y') + eos_token }}").Render(input)));
    }

    [Fact]
    public void A_continued_message_stays_marked_to_its_end()
    {
        var template = ChatTemplate.Parse("{% for m in messages %}<{{ m.role }}>{{ m.content }}</m>{% endfor %}");
        var input = TemplateFixture.Chat("""[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Sure, </m>"}]""");
        Assert.Equal("<[user]>[Hi]</m><[assistant]>[Sure, </m>]", Marked(template.Render(input with { ContinueFinalMessage = true })));
    }

    public static TheoryData<string> Templates => [.. TemplateFixture.Names];

    [Theory, MemberData(nameof(Templates))]
    public void No_template_lends_its_voice_to_a_message(string name)
    {
        var template = ChatTemplate.Parse(TemplateFixture.Source(name));
        foreach (var @case in TemplateFixture.Json(name).GetProperty("cases").EnumerateArray())
        {
            if (@case.GetProperty("conversation").GetString() != "special_text" || !@case.TryGetProperty("text", out _)) continue;
            var rendered = template.Render(TemplateFixture.Input(@case));
            var own = string.Concat(Parts(rendered).Where(part => !part.IsContent).Select(part => part.Text));
            Assert.DoesNotContain("{{ 1+1 }}", own);
            Assert.DoesNotContain("\u4e2d", own);
            Assert.DoesNotContain("&amp;", own);
            Assert.Equal(rendered.Text, string.Concat(Parts(rendered).Select(part => part.Text)));
        }
    }

    static string Marked(RenderedChat chat) => string.Concat(Parts(chat).Select(part => part.IsContent ? $"[{part.Text}]" : part.Text));

    static IEnumerable<(bool IsContent, string Text)> Parts(RenderedChat chat)
    {
        var at = 0;
        foreach (var range in chat.ContentRanges)
        {
            Assert.True(range.Start.Value >= at && range.End.Value > range.Start.Value && range.End.Value <= chat.Text.Length);
            yield return (false, chat.Text[at..range.Start.Value]);
            yield return (true, chat.Text[range]);
            at = range.End.Value;
        }
        yield return (false, chat.Text[at..]);
    }
}
