using Serving.Text.Templates;

namespace Serving.Tests;

/// <summary>What a template can do, and the changes made to messages before it sees them.</summary>
public sealed class TemplateCapabilityTests
{
    [Theory]
    [InlineData("SmolLM2-135M-Instruct", true, false, false, ContentShape.Text)]
    [InlineData("meta-llama-Llama-3.2-3B-Instruct", true, true, true, ContentShape.Text)]
    [InlineData("Qwen-Qwen2.5-7B-Instruct", true, true, true, ContentShape.Text)]
    [InlineData("microsoft-Phi-3.5-mini-instruct", true, false, false, ContentShape.Text)]
    [InlineData("google-gemma-4-31B-it-interleaved", true, true, true, ContentShape.Both)]
    [InlineData("muse-glimmer", true, true, true, ContentShape.Both)]
    public void Capabilities_are_learned_by_rendering(string name, bool system, bool tools, bool calls, ContentShape content) =>
        Assert.Equal(new TemplateCapabilities(system, tools, calls, content), ChatTemplate.Parse(TemplateFixture.Source(name)).Capabilities);

    [Theory]
    [InlineData("{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.content }}{% endfor %}", false, ContentShape.Text)]
    [InlineData("{% for m in messages %}{{ m.content[0].text }}{% endfor %}", true, ContentShape.Parts)]
    [InlineData("{% for m in messages %}{{ m.content if m.content is string else m.content[0].text }}{% endfor %}", true, ContentShape.Both)]
    public void Small_templates_too(string source, bool system, ContentShape content)
    {
        var capabilities = ChatTemplate.Parse(source).Capabilities;
        Assert.Equal((system, false, content), (capabilities.SystemRole, capabilities.Tools, capabilities.Content));
    }

    [Theory]
    [InlineData("""[{"role": "user", "content": null}]""", "{'role': 'user'}")]
    [InlineData("""[{"reasoning": "r", "content": "c"}]""", "{'reasoning': 'r', 'content': 'c', 'reasoning_content': 'r', 'thinking': 'r'}")]
    [InlineData("""[{"thinking": "t", "reasoning": "r"}]""", "{'thinking': 't', 'reasoning': 'r', 'reasoning_content': 't'}")]
    [InlineData("""[{"tool_calls": [{"function": {"arguments": "{\"a\": 1.0}"}}]}]""", "{'tool_calls': [{'function': {'arguments': {'a': 1.0}}}]}")]
    [InlineData("""[{"tool_calls": [{"function": {"arguments": "not json"}}]}]""", "{'tool_calls': [{'function': {'arguments': 'not json'}}]}")]
    [InlineData("""[{"tool_calls": [{"function": {"arguments": "[1]"}}]}]""", "{'tool_calls': [{'function': {'arguments': '[1]'}}]}")]
    public void Messages_are_prepared(string messages, string seen) =>
        Assert.Equal(seen, ChatTemplate.Parse("{{ messages[0] }}").Render(TemplateFixture.Chat(messages)).Text);

    [Theory]
    [InlineData("{}", "must be a JSON array")]
    [InlineData("[1]", "Message 0 must be a JSON object")]
    [InlineData("[\"\\ud800\"]", "half of a surrogate pair")]
    public void What_is_no_conversation_is_refused(string messages, string reason)
    {
        var failure = Assert.Throws<TemplateException>(() => ChatTemplate.Parse("x").Render(TemplateFixture.Chat(messages)));
        Assert.Equal(TemplateFault.Input, failure.Fault);
        Assert.Contains(reason, failure.Message);
    }

    [Theory]
    [InlineData("{{ messages[-1].content }}", """[{"content": "One, "}]""", "One, ")]
    [InlineData("{{ messages[-1].content | trim }}.", """[{"content": "One, "}]""", "One,")]
    [InlineData("{{ messages[-1].content[0].text }}!", """[{"content": [{"type": "text", "text": "One"}]}]""", "One")]
    public void A_final_message_is_continued(string template, string messages, string prompt) =>
        Assert.Equal(prompt, ChatTemplate.Parse(template).Render(TemplateFixture.Chat(messages) with { ContinueFinalMessage = true }).Text);

    [Theory]
    [InlineData("nothing", """[{"content": "One"}]""")]
    [InlineData("x", "[]")]
    [InlineData("x", """[{"content": null}]""")]
    public void What_cannot_be_continued_is_said(string template, string messages)
    {
        var input = TemplateFixture.Chat(messages) with { ContinueFinalMessage = true };
        Assert.Equal(TemplateFault.Input, Assert.Throws<TemplateException>(() => ChatTemplate.Parse(template).Render(input)).Fault);
    }

    [Fact]
    public void One_template_renders_on_many_threads()
    {
        var template = ChatTemplate.Parse(TemplateFixture.Source("Qwen-Qwen2.5-7B-Instruct"));
        var input = TemplateFixture.Chat(TemplateFixture.Messages("tool_result").GetRawText());
        var expected = template.Render(input).Text;
        Assert.All(ParallelEnumerable.Range(0, 64).Select(_ => template.Render(input).Text).ToList(), text => Assert.Equal(expected, text));
    }
}
