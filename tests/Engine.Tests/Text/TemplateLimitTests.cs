using Serving.Text.Templates;

namespace Serving.Tests;

/// <summary>No template makes the engine hang, overflow its stack or run out of memory.</summary>
public sealed class TemplateLimitTests
{
    /// <summary>A tenth of the usual steps and text, so that the suite stays fast; the prices per step are the same.</summary>
    static readonly TemplateLimits Tight = new() { Steps = 1_000_000, TotalCharacters = 32 << 20 };

    [Theory]
    [InlineData("{% for i in range(10 ** 9) %}x{% endfor %}")]
    [InlineData("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")]
    [InlineData("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}")]
    [InlineData("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}")]
    [InlineData("{% set n = namespace(s='x') %}{% for i in range(100) %}{% set n.s = n.s ~ n.s %}{% endfor %}")]
    [InlineData("{% set n = namespace(s='x') %}{% for i in range(100) %}{% set n.s = n.s.replace('x', 'xx') %}{% endfor %}")]
    [InlineData("{% set n = namespace(s='x') %}{% for i in range(100) %}{% set n.s = [n.s, n.s] | join %}{% endfor %}")]
    [InlineData("{% set n = namespace(l=[1]) %}{% for i in range(100) %}{% set n.l = n.l + n.l %}{% endfor %}")]
    [InlineData("{% set n = namespace(l=[1]) %}{% for i in range(100) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l }}")]
    [InlineData("{% set n = namespace(l=[1]) %}{% for i in range(100) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l | tojson }}")]
    [InlineData("{% set n = namespace(a=[1], b=[1]) %}{% for i in range(99) %}{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}{{ n.a == n.b }}")]
    [InlineData("{% set n = namespace(l=[1]) %}{% for i in range(50000) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l }}")]
    [InlineData("{% set n = namespace(l=[1]) %}{% for i in range(50000) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l == [n.l] }}")]
    [InlineData("{% set n = namespace() %}{% set n.n = n %}{{ n }}")]
    [InlineData("{{ 'x' * 10 ** 12 }}")]
    [InlineData("{{ [0] * 10 ** 9 }}")]
    [InlineData("{{ 'x'.center(2000000000) }}")]
    [InlineData("{{ 'x'.zfill(2000000000) }}")]
    [InlineData("{{ 'a\\tb'.expandtabs(2000000000) }}")]
    [InlineData("{{ '%2000000000d' % 1 }}")]
    [InlineData("{{ '%.2000000000f' % 1 }}")]
    [InlineData("{{ '%*d' % (2000000000, 1) }}")]
    [InlineData("{{ '{:2000000000}'.format(1) }}")]
    [InlineData("{{ '{:99999999999999999999}'.format(1) }}")]
    [InlineData("{{ 'x' | indent(2000000000, true) }}")]
    [InlineData("{{ [1] | tojson(indent=2000000000) }}")]
    [InlineData("{{ [1] | batch(2000000000, 0) | list }}")]
    [InlineData("{{ [1] | slice(2000000000) | list }}")]
    [InlineData("{{ 10 ** (10 ** 10) }}")]
    [InlineData("{{ 2 ** 99999999999999999999 }}")]
    [InlineData("{% set n = namespace(i=7) %}{% for i in range(1000) %}{% set n.i = n.i * n.i %}{% endfor %}")]
    [InlineData("{% set s = 'a' * 9000000 %}{{ (s ~ 'b').count('a' * 4000000 ~ 'b') }}")]
    [InlineData("{% set s = 'a' * 9000000 %}{% for i in range(100000) %}{{ 'b' in s }}{% endfor %}")]
    [InlineData("{% set s = '<' * 3000000 %}{{ s | striptags }}")]
    [InlineData("{% set s = '\ud83d\ude00' * 3000000 %}{% for i in range(100000) %}{{ s[i] }}{% endfor %}")]
    [InlineData("{% set s = 'a ' * 3000000 %}{% for i in range(1000) %}{{ s.split()[0] }}{% endfor %}")]
    [InlineData("{% set s = 'a' * 3000000 %}{% for i in range(1000) %}{{ s.upper()[0] }}{% endfor %}")]
    [InlineData("{% set s = 'a' * 3000000 %}{% for i in range(1000) %}{{ s.isalpha() }}{% endfor %}")]
    [InlineData("{% set l = range(90000) | list %}{% for i in range(10000) %}{{ l | sort | first }}{{ l | unique | first }}{% endfor %}")]
    [InlineData("{% set l = range(90000) | list %}{% for i in range(10000) %}{{ -1 in l }}{{ l[1:] | length }}{% endfor %}")]
    public void A_greedy_template_is_stopped(string template)
    {
        var failure = Assert.Throws<TemplateException>(() => ChatTemplate.Parse(template, Tight).Render(TemplateFixture.Chat("[]")));
        Assert.Equal(TemplateFault.Limit, failure.Fault);
        Assert.Equal(1, failure.Line);
    }

    [Theory]
    [InlineData("{{ ", "(", "1", ")", " }}")]
    [InlineData("{{ ", "[", "", "]", " }}")]
    [InlineData("{{ ", "{1:", "1", "}", " }}")]
    [InlineData("{{ ", "not ", "1", "", " }}")]
    [InlineData("{{ ", "-", "1", "", " }}")]
    [InlineData("{{ ", "1 if 1 else ", "1", "", " }}")]
    [InlineData("{{ x", "[0", "", "]", " }}")]
    [InlineData("{{ ", "f(", "", ")", " }}")]
    [InlineData("{{ x ", "| d(1", "", ")", " }}")]
    [InlineData("{{ x ", "is eq x ", "", "", " }}")]
    [InlineData("{{ 1", "+ 1", "", "", " }}")]
    [InlineData("{{ 1", "** 1", "", "", " }}")]
    [InlineData("{{ 1", " and 1", "", "", " }}")]
    [InlineData("{{ x", ".x", "", "", " }}")]
    [InlineData("{{ x", "[0]", "", "", " }}")]
    [InlineData("{{ x", "()", "", "", " }}")]
    [InlineData("{{ x", "|string", "", "", " }}")]
    [InlineData("", "{% if 1 %}", "", "{% endif %}", "")]
    [InlineData("", "{% if 1 %}", "", "", "")]
    [InlineData("", "{% for x in [1] %}", "", "{% endfor %}", "")]
    [InlineData("", "{% macro m() %}", "", "{% endmacro %}", "")]
    [InlineData("", "{% filter upper %}", "", "{% endfilter %}", "")]
    [InlineData("{% for ", "(", "a", ")", " in [1] %}{% endfor %}")]
    [InlineData("{% set ", "(", "a", ")", " = 1 %}")]
    [InlineData("{{ '", "{0:", "", "}", "'.format(1) }}")]
    public void Deep_nesting_is_refused_not_fallen_into(string begin, string open, string middle, string close, string end)
    {
        const int Depth = 20_000;
        var source = begin + string.Concat(Enumerable.Repeat(open, Depth)) + middle + string.Concat(Enumerable.Repeat(close, Depth)) + end;
        Assert.Throws<TemplateException>(() => ChatTemplate.Parse(source).Render(TemplateFixture.Chat("[]")));
    }

    [Fact]
    public void Long_flat_templates_are_no_deep_ones()
    {
        var elifs = "{% if 0 %}" + string.Concat(Enumerable.Repeat("{% elif 0 %}a", 20_000)) + "{% else %}b{% endif %}";
        Assert.Equal("b", ChatTemplate.Parse(elifs).Render(TemplateFixture.Chat("[]")).Text);
        var text = string.Concat(Enumerable.Repeat("{{ 'a' ~ 'b' }}", 10_000));
        Assert.Equal(20_000, ChatTemplate.Parse(text).Render(TemplateFixture.Chat("[]")).Text.Length);
    }

    [Fact]
    public void A_long_conversation_is_far_from_the_limits()
    {
        var turn = "{\"role\": \"user\", \"content\": \"" + new string('x', 500) + "\"}, {\"role\": \"assistant\", \"content\": \"yes\"}";
        var input = TemplateFixture.Chat("[" + string.Join(", ", Enumerable.Repeat(turn, 1000)) + "]");
        var template = ChatTemplate.Parse(TemplateFixture.Source("meta-llama-Llama-3.2-3B-Instruct"), Tight);
        Assert.True(template.Render(input with { BosToken = "<s>" }).Text.Length > 500_000);
    }

    [Fact]
    public void Deep_json_is_refused()
    {
        var deep = new string('[', 500) + new string(']', 500);
        var json = System.Text.Json.JsonDocument.Parse(deep, new() { MaxDepth = 1000 }).RootElement;
        var input = TemplateFixture.Chat("[]") with { Tools = json };
        Assert.Equal(TemplateFault.Limit, Assert.Throws<TemplateException>(() => ChatTemplate.Parse("x").Render(input)).Fault);
    }

    [Fact]
    public void The_limits_can_be_chosen()
    {
        var limits = new TemplateLimits { OutputCharacters = 10, Steps = 100 };
        Assert.Equal("0123456789", ChatTemplate.Parse("0123456789", limits).Render(TemplateFixture.Chat("[]")).Text);
        Assert.Throws<TemplateException>(() => ChatTemplate.Parse("0123456789a", limits).Render(TemplateFixture.Chat("[]")));
        Assert.Throws<TemplateException>(() => ChatTemplate.Parse("{% for i in range(99) %}{% endfor %}", limits).Render(TemplateFixture.Chat("[]")));
    }

    [Theory]
    [InlineData("a\n{{ 1 + }}", 2)]
    [InlineData("a\n\n{% if x %}", 3)]
    [InlineData("{# \n\n #}\n{{ nosuch() }}", 4)]
    [InlineData("{% for x in [1] %}\n{{ x.y.z }}\n{% endfor %}", 2)]
    [InlineData("\n{{ 'a' | nosuch }}", 2)]
    [InlineData("{{ 'a'\n + 1 }}", 2)]
    [InlineData("\n\n{% include 'x' %}", 3)]
    public void An_error_names_its_line(string template, int line)
    {
        var failure = Assert.Throws<TemplateException>(() => ChatTemplate.Parse(template).Render(TemplateFixture.Chat("[]")));
        Assert.Equal(line, failure.Line);
        Assert.Contains($"line {line}", failure.Message);
    }

    [Fact]
    public void Mutated_templates_fail_only_as_templates_do()
    {
        var random = new Random(20250304);
        var limits = new TemplateLimits { Steps = 20_000, OutputCharacters = 100_000, TotalCharacters = 1_000_000 };
        var sources = TemplateFixture.Names.Select(TemplateFixture.Source).Append(string.Join("", LanguageSources())).ToArray();
        var input = TemplateFixture.Chat("[]") with
        {
            Messages = TemplateFixture.Messages("reasoning_tool"),
            Tools = TemplateFixture.Tools("two"),
            AddGenerationPrompt = true,
        };
        for (var i = 0; i < Fixtures.Rounds(2000); i++)
        {
            var source = Mutate(random, sources);
            try
            {
                ChatTemplate.Parse(source, limits).Render(input);
            }
            catch (TemplateException)
            {
            }
            catch (Exception failure)
            {
                Assert.Fail($"mutation {i}: {failure}\n{source}");
            }
        }
    }

    static IEnumerable<string> LanguageSources() =>
        TemplateFixture.Json("language").GetProperty("cases").EnumerateArray().Select(@case => @case.GetProperty("template").GetString()!);

    static string Mutate(Random random, string[] sources)
    {
        string[] pieces = ["{{", "}}", "{%", "%}", "-", "|", "(", ")", "[", "]", "'", "\"", "not ", " is ", " in ", "1", "0", "none", ".", ":", ",", "**", "//", "~", "\n", "\ud83d", "for ", "loop", "range", "messages", "\\", "\0", "%", "{#", "#}", "if ", "99999999999"];
        var source = sources[random.Next(sources.Length)];
        var from = random.Next(source.Length);
        source = source.Substring(random.Next(4) == 0 ? from : 0, random.Next(4) == 0 ? random.Next(source.Length - from) : source.Length - from);
        for (var n = random.Next(1, 6); n > 0 && source.Length > 2; n--)
        {
            var (at, length) = (random.Next(source.Length), random.Next(8));
            var end = Math.Min(source.Length, at + length);
            var piece = random.Next(3) == 0 ? source.Substring(random.Next(source.Length - 1), 1) : pieces[random.Next(pieces.Length)];
            source = source[..at] + (random.Next(3) == 0 ? "" : piece) + source[(random.Next(2) == 0 ? at : end)..];
        }
        return source;
    }
}
