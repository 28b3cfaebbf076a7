using System.Diagnostics;
using System.Text.Json;
using Serving.Text.Templates;

namespace Serving.Tests;

/// <summary>What the fixtures leave out, compared with Jinja2 itself where python3-jinja2 is installed.</summary>
public sealed class TemplateOracleTests
{
    const string Data = """
        {"s": "Hello, wörld 😀 it's", "n": 42, "f": 2.675, "big": 123456789012345678901234567890, "l": [3, 1, 2, 1], "e": [],
         "d": {"b": 1, "a": {"x": [1, 2, {"y": "z"}]}, "C": null}, "t": "  a\tb \n c  ", "none": null,
         "people": [{"name": "bob", "age": 3, "tags": ["x"]}, {"name": "Al", "age": 20, "tags": []}, {"name": "cy", "age": 3}]}
        """;

    static readonly string[] Expressions =
    [
        "s[::2]", "s[-3:]", "s[5:2]", "s[-100:100]", "s[2:8:3]", "s[::-2]", "l[::-1]", "l[1:-1]", "l[-1]", "l[10]", "s[true]", "range(10)[2:5]|list", "(1,2,3)[1:]",
        "s|upper", "s|title", "s.title()", "s|capitalize", "s.swapcase()", "s.casefold()", "'ǆ ß ﬁ ŉ'|title", "'ΑΣ ΣΑ Σ'|lower", "'ﬁ'.upper()", "'ﬁ'.capitalize()",
        "s.find('o')", "s.rfind('l')", "s.find('😀')", "s.index('i')", "s.find('o', 5)", "s.find('o', -50, 5)", "s.count('l')", "s.count('')", "s.count('l', 3)",
        "s.replace('', '-')", "'aaa'.replace('', '-', 2)", "'aaaa'.replace('aa', 'b')", "'abab'|replace('ab', 'x', 1)", "'a1b'|replace(1, 2)",
        "t.split()", "t.split(none, 1)", "t.rsplit(none, 1)", "t.rsplit()", "'a,b,c'.rsplit(',', 0)", "'a,b,c'.split(',', 0)", "'a--b--c'.split('--', 1)", "t.split(maxsplit=1)",
        "'aaa'.rsplit('aa')", "' a '.split(' ', 0)", "''.rsplit(',')", "'  '.split(none, 0)", "' a b '.split(none, 0)", "' a b '.rsplit(none, 0)",
        "t.strip()", "t.lstrip()", "t.rstrip()", "'xxabxx'.strip('xa')", "t|trim", "'..a..'|trim('.')", "t.splitlines()", "'a\\n\\nb\\r'.splitlines(true)", "''.splitlines()",
        "'a-b-c'.partition('-')", "'a-b-c'.rpartition('-')", "'abc'.partition('-')", "'abc'.rpartition('-')", "'prefix'.removeprefix('pre')", "'prefix'.removesuffix('fix')",
        "'ab'.center(7)", "'ab'.center(6, '*')", "'abc'.center(6, '*')", "'abc'.center(7, '*')", "'ab'.ljust(4) ~ '|'", "'ab'.rjust(4, '.')", "'-5'.zfill(4)", "'a\\tbc\\td'.expandtabs(4)",
        "'ab'|center(7) ~ '|'", "'abc'.isalpha()", "'ab1'.isalnum()", "''.isalpha()", "'Ab Cd'.istitle()", "'12'.isdecimal()", "'½'.isnumeric()", "'½'.isdigit()", "'x1'.isidentifier()",
        "'AB'.isupper()", "'a1'.islower()", "'é'.isascii()", "s.startswith(('x', 'H'))", "s.endswith('s')", "'a'.join(['x', 'y'])", "'-'.join('abc')",
        "'%s|%r|%d|%5d|%-5d|%05d|%+d' % ('a', 'b', 3, 4, 5, 6, 7)", "'%x %X %o %#x' % (255, 255, 8, 255)", "'%.3f %e %g %G' % (f, f, f, 1e-10)", "'%%'|format()", "'%(a)s %(b)d' % {'a': 1, 'b': 2}",
        "'%s' % none", "'%s %s' % (1,)", "'%d' % 'x'", "'%d' % 3.9", "'%s' % [1]", "'%c%c' % (65, 'b')", "'%10.3s|' % 'abcdef'", "'%*d' % (5, 3)", "'%g' % 100000", "'%g' % 1000000", "'%g' % 0.0001",
        "'{} {}'.format(1, 'a')", "'{1}{0}'.format('a', 'b')", "'{:>5}|{:<5}|{:^5}'.format(1, 'a', 'b')", "'{:*^9}'.format('mid')", "'{:05d} {:+} {:,}'.format(42, 7, 1234567)", "'{:.2f} {:.3} {:e}'.format(f, f, f)",
        "'{:%}'.format(0.25)", "'{!r:>6}'.format('a')", "'{0[a]} {0[b]}'.format({'a': 1, 'b': 2})", "'{x}{{}}'.format(x=1)", "'{:{}}'.format('a', 5)", "'{:x} {:#b} {:o} {:c}'.format(255, 5, 8, 97)", "'{'.format()", "'{}'.format()",
        "'{:10}|{:10}|'.format(true, 1.5)", "'{:g} {:g}'.format(1e20, 0.5)", "'{:.3f}'.format(2)", "'{:d}'.format(1.5)", "'{:,.2f}'.format(1234567.891)", "'{:_}'.format(1000000)",
        "f|round(2)", "2.5|round", "3.5|round", "-2.5|round", "1.005|round(2)", "0.285|round(2)", "1234|round(-2)", "1250|round(-2)", "1234.5|round(-2)", "2.1|round(1, 'floor')", "1e300|round(2)",
        "7 // 0.0", "-7 // 2.0", "7.5 % -2", "-7 % 2.5", "2 ** 0.5", "2 ** -2", "10 ** 20", "-3 ** 3", "0 ** 0", "7 / 2", "1e16", "1e15", "123456789012345680.0", "1.1e-5", "5e-324", "1.7976931348623157e308", "-0.0", "100.0", "1e22", "0.1 + 0.2",
        "big * big", "big // 7", "-big // 7", "big % 97", "-big % 97", "big / 3 > 1", "big == big + 0.0", "1 == 1.0 == true", "'a' < 'b' < 'c'", "[1, [2]] < [1, [3]]", "(1, 2) == [1, 2]", "1 in [1.0]", "'' in ''", "none in [none]",
        "not 1 == 2", "not not 1", "1 if 0", "(1 if 0) is defined", "1 or 2 and 3", "0 or '' or []", "1 is odd", "3 is divisibleby 3", "s is string and n is number", "n is not none", "'a' in s and not 'z' in s",
        "l|sort", "l|sort(reverse=true)", "['b', 'A', 'a']|sort", "['b', 'A', 'a']|sort(case_sensitive=true)", "people|sort(attribute='age')|map(attribute='name')|list", "people|sort(attribute='age,name')|map(attribute='name')|list", "people|sort(attribute='age', reverse=true)|map(attribute='name')|list",
        "people|groupby('age')", "people|groupby('age')|map(attribute='grouper')|list", "people|map(attribute='tags.0')|list", "people|map(attribute='tags.0', default='-')|list", "people|selectattr('age', 'gt', 5)|list", "people|rejectattr('tags')|map(attribute='name')|list",
        "people|selectattr('tags', 'defined')|map(attribute='name')|list", "people|map('length')|list", "['a', 'b']|map('replace', 'a', 'c')|list", "l|select('gt', 1)|list", "l|reject('odd')|list", "l|unique|list", "['a', 'A']|unique|list", "['a', 'A']|unique(true)|list",
        "l|min", "l|max", "['b', 'A']|min", "['b', 'A']|min(true)", "people|max(attribute='age')", "[]|min", "l|sum", "people|sum(attribute='age')", "[[1], [2]]|sum(start=[])", "l|first", "l|last", "e|first", "e|last", "s|first", "d|first", "l|reverse|list", "s|reverse",
        "l|batch(3)|list", "l|batch(3, 0)|list", "l|slice(3)|list", "[1,2,3,4,5,6,7]|slice(3, 'x')|list", "l|join", "l|join('-')", "people|join(',', attribute='name')", "d|join", "d|length", "s|length", "range(5)|length", "n|length",
        "d|dictsort", "d|dictsort(true)", "d|dictsort(reverse=true)", "{'a': 2, 'b': 1}|dictsort(by='value')", "d|items|list", "d.items()", "d.keys()", "d.values()|list", "d.get('zz', 'y')", "d.a.x[2].y", "d['a']['x'][0]", "d.zz", "d.zz.y", "d.C", "d.b.c",
        "d|tojson", "d|tojson(indent=2)", "d|tojson(sort_keys=true)", "people|tojson(indent=1)", "s|tojson", "s|tojson(ensure_ascii=true)", "f|tojson", "big|tojson", "'\\x00\\x1f\\x7f'|tojson", "{1: 2, none: 3, true: 4, 1.5: 5}|tojson", "(1, (2,))|tojson", "range(3)|tojson", "u|tojson", "1e400|tojson", "d|tojson(separators=(',', ':'))", "d|tojson(indent='\\t')",
        "d", "people", "[s]", "{'k': s}", "'it\\'s \"q\"'|list|first", "['it\\'s', 'a\"b', 'both\\'\"']", "['\\n\\t\\r\\\\', '\\x00\\x7f\\u00a0\\u200b\\ud83d\\ude00'[:4]]", "[1.0, -0.0, 1e100]", "(1,)", "()", "{}", "[none, true]", "{(1, 'a'): 2}", "{(1, 'a'): 2}[(1, 'a')]",
        "'12'|int", "'-12 '|int", "'1_000'|int", "'0x1f'|int(base=16)", "'0x1f'|int(0, 16)", "'zz'|int(-1)", "'1e3'|int", "none|int(5)", "true|int", "[]|int(3)", "'1.5'|float", "'x'|float(2.5)", "'inf'|float", "none|float", "3|float", "f|int", "-3.9|int",
        "s|wordcount", "'a b  c'|indent", "'a\\nb'|indent(2)", "'a\\n\\nb'|indent(2, blank=true)", "'a\\nb'|indent('> ', true)", "s|truncate(9)", "s|truncate(9, true)", "s|truncate(9, false, '…')", "s|truncate(9, leeway=0)", "'abcdefghij'|truncate(6)", "'a b c d e f g'|wordwrap(5)", "'abcdefghij k'|wordwrap(4)",
        "'<a href=\"x\">T & \\'q\\'</a>'|e", "'<p>a  <b>b</b><!-- c --> d</p>'|striptags", "'a b/ü&'|urlencode", "{'a': 'x y', 'b': 1}|urlencode", "1000|filesizeformat", "123456789|filesizeformat", "1024|filesizeformat(true)", "1|filesizeformat", "'a'|attr('upper')()", "d|attr('b')", "l|string", "none|string ~ true",
        "u|default('x')", "''|default('x')", "''|d('x', true)", "none|default('x')", "none|default('x', true)", "d.zz|default('y')", "u|length", "u|list", "u|upper", "u|join", "u|first", "u ~ 'x'", "u + 1", "u == u2", "u|default(u2)|default(3)", "u is sameas u2", "-u", "u()", "u.a", "u['a']", "u[0:1]", "u|int", "u|map('upper')|list", "u|selectattr('x')|list",
        "none.a", "none['a']", "n.a", "s.nope", "l.nope", "l.count(1)", "l.index(2)", "l.index(9)", "(1, 2, 1).count(1)", "l.append(4)", "d.update(x=1)", "d.pop('b')", "l.sort()", "d.setdefault('q', 1)", "''.__class__", "d.__class__.__mro__", "(0).__class__", "''['__class__']",
        "[1, 2] + (3,)", "[1] + 1", "1 + '1'", "'1' + 1", "'a' * 3", "3 * [0]", "-1 * 'a'", "'a' * 1.5", "{} + {}", "1 < none", "'a' < 1", "[] < {}", "1 in 5", "n()", "s()", "l['a']", "d[[1]]", "[1][none]", "{[1]: 2}", "~1", "1 ~ 2 ~ 3.0 ~ none",
        "range(3)", "range(1, 4)", "range(3, 0, -1)|list", "range(0)|list", "range(5)[1]", "range(5)[-1]", "range(2, 10, 3)[::-1]|list", "range()", "range(1.5)", "range(1, 5, 0)", "3 in range(5)", "range(3) == range(3)", "range(1000000)",
        "dict(a=1, b=2)", "dict({'a': 1}, b=2)", "dict([['a', 1]])", "namespace(a=1).a", "namespace({'a': 1}).a", "namespace().b is defined", "namespace(a=1)['a']", "cycler(1, 2).next()", "joiner('|')()", "[joiner('|')] is sequence",
        "0x1F", "0b101", "0o17", "1_0.5_0", "1e-3", "'\\x41\\u0042\\U0001F600\\101\\q'", "'a' 'b' \"c\"", "'a'.upper().lower()", "(1 + 2) * 3", "1 + 2 * 3 ~ 4", "2 * 3 % 4", "10 - 5 - 2", "2 ** 3 ** 0", "- -1", "+ 1", "-'a'", "+'a'", "not none",
        "1 if 1 else 2 if 0 else 3", "[1, 2, 3,]", "{'a': 1,}", "(1, 2,)", "[]", "()|list", "1, 2", "1,", "[[1, 2], [3]]|map('sum')|list", "[1, 2]|map('nosuch')|list if false else 'ok'", "1 is nosuch", "1|nosuch", "1 is 'x'", "1 2", "a b", ")", "(", "[1", "'x", "{'a'}", "{% if %}", "x.", "x.'a'", "x|", "x is", "1 +", "",
        "5 is between", "1 is eq 1", "1 is == 1", "2 is gt(1)", "'a' is in ['a']", "3 is in range(5)", "[] is iterable", "{} is sequence", "1.5 is float", "true is integer", "1 is boolean", "'A' is upper", "'a1' is lower", "'upper' is filter", "'odd' is test", "none is sameas none", "l is sameas l", "range is callable", "u is iterable", "u is sequence", "u is mapping", "s is escaped",
        "strftime_now('%A %B %d %j %U %W %u %w %e %-m %C %G %V %T %D %R %h %x %X %c')", "raise_exception('stop')", "loop", "caller is defined", "varargs is defined", "s|safe", "s|string|length", "s|list|length", "'a,b'|replace(',', '\\n')", "'x'|format(1)",
    ];

    static readonly string[] Templates =
    [
        "{% for x in l %}{{ loop.index }}{{ loop.cycle('a', 'b') }}{% if loop.changed(x) %}!{% endif %}{{ loop.revindex }}{% endfor %}",
        "{% for a, b in d.items() %}{{ a }}{% else %}none{% endfor %}", "{% for a, b in [[1, 2], [3]] %}{{ a }}{% endfor %}", "{% for (a, (b, c)) in [(1, (2, 3))] %}{{ a + b + c }}{% endfor %}",
        "{% for x in e %}{% else %}empty{% endfor %}", "{% for x in l if x > 1 %}{{ loop.length }}{{ x }}{% endfor %}", "{% for x in n %}{% endfor %}", "{% for x in none %}{% endfor %}", "{% for x in s[:3] %}{{ x }}.{% endfor %}",
        "{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}", "{% for x in l %}{% set z = x %}{% endfor %}{{ z is defined }}", "{% for x in l recursive %}{{ x }}{% if loop.depth < 2 %}{{ loop([9]) }}{% endif %}{% endfor %}",
        "{% set ns = namespace(a=1) %}{% set ns.b = 2 %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set x %}a{% set y = 1 %}{% endset %}{{ x }}{{ y is defined }}", "{% set d.x = 1 %}", "{% set a.b = 1 %}",
        "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(b=1, a=3) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=1) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=1) }}",
        "{% macro m() %}{{ caller('x') }}{% endmacro %}{% call(y) m() %}[{{ y }}]{% endcall %}", "{% macro m() %}x{% endmacro %}{% call m() %}{% endcall %}", "{% macro m(x) %}{% if x %}{{ x }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(5) }}",
        "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, k=2) }}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}", "{% macro m(a) %}{% set a = a + 1 %}{{ a }}{% endmacro %}{{ m(1) }}{{ a is defined }}", "{% if true %}{% macro m() %}x{% endmacro %}{% endif %}{{ m() }}",
        "{% filter upper|replace('A', 'b') %}a{{ 'c' }}{% endfilter %}", "{% with x = 1 %}{% set y = x %}{{ y }}{% endwith %}{{ y is defined }}", "{% with x = 1, y = 2 %}{{ x + y }}{% endwith %}", "{% raw %} {{ x }} {% endraw %}", "a\n {%- raw -%} \n x \n {%- endraw -%} \n b",
        "{% raw %}\n a\n{% endraw %}\nb", "  {% raw %}x{% endraw %}", "{# a #}b{#- c -#}\n d", "a\n  {# x #}\n  b", "  {{ 1 }}\n  {% if 1 %}\n    x\n  {% endif %}\n", "a {% if 1 -%} \n b {%- endif %} c", "{% if 1 %}\n\n x{% endif %}", "\n\n{% if 1 %}a{% endif %}\n\n",
        "{{ 1 -}}\n x", "x \n{{- 1 }}", "x\n{%+ if 1 %} y {% endif +%}\n z", "  {%+ if 1 %}x{% endif %}", "\t{% set x = 1 %}\t{{ x }}", "{% set x = 1 %}{% set x = 2 %}\n{{ x }}\n", "{%if 1%}x{%endif%}", "{{1}}{{'}}'}}", "{% if 1 %}a{% elif 2 %}b{% else %}c{% endif %}",
        "{% if 0 %}{{ x|nosuch }}{% endif %}ok", "{% if 0 %}{{ x is nosuch }}{% endif %}ok", "{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% break %}", "{% nosuch %}", "{% endif %}", "{% if 1 %}", "{% for x %}",
        "{% generation %}{% set q = 1 %}{{ q }}{% endgeneration %}{{ q is defined }}", "{% set loop = 1 %}{{ loop }}", "{{ x", "{% if x", "{# x", "{% raw %}x", "{{ 'a\nb' }}\n{{ u.v }}", "{% set none = 1 %}", "{% for true in [1] %}{% endfor %}",
        "{% set x = namespace(v=[]) %}{% for i in range(3) %}{% set x.v = x.v + [i] %}{% endfor %}{{ x.v }}", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{% set f = s.upper %}{{ f() }}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.reset() }}{{ c.next() }}",
        "{% for g in people|groupby('age') %}{{ g.grouper }}{{ g.list|length }}{{ g[0] }}{% endfor %}", "{% for k, v in people|groupby('age') %}{{ k }}:{{ v|map(attribute='name')|join(',') }};{% endfor %}", "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{% endfor %}", "{{ loop.index }}", "{% for x in [1] %}{{ loop.nosuch }}{{ loop|length }}{% endfor %}",
    ];

    [Fact]
    public void Jinja_renders_the_same()
    {
        string[] templates = [.. Expressions.Select(expression => $"{{{{ {expression} }}}}"), .. Templates];
        var answers = AskJinja(templates);
        if (answers is null) Assert.Skip("python3 with Jinja2 is not installed (on Debian: apt-get install python3-jinja2).");
        var variables = JsonDocument.Parse(Data).RootElement.EnumerateObject().ToDictionary(member => member.Name, member => member.Value);
        var wrong = templates.Zip(answers, (template, answer) => Difference(template, answer, variables)).OfType<string>().ToList();
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    static string? Difference(string template, JsonElement answer, Dictionary<string, JsonElement> variables)
    {
        var wanted = answer.TryGetProperty("text", out var text) ? text.GetString() : null;
        try
        {
            var rendered = ChatTemplate.Parse(template).Render(variables, TemplateFixture.Clock);
            return rendered == wanted ? null : $"{template}\n  wanted {wanted ?? answer.ToString()}\n  got    {rendered}";
        }
        catch (TemplateException failure)
        {
            return wanted is null ? null : $"{template}\n  wanted {wanted}\n  got    {failure.Message}";
        }
    }

    static List<JsonElement>? AskJinja(string[] templates)
    {
        var start = new ProcessStartInfo("python3", ["-X", "utf8", Fixtures.InRepository("tests/oracles/jinja_oracle.py")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using var python = Process.Start(start)!;
            var errors = python.StandardError.ReadToEndAsync();
            List<JsonElement> answers = [];
            var data = JsonSerializer.Serialize(JsonDocument.Parse(Data).RootElement);
            foreach (var template in templates)
            {
                python.StandardInput.WriteLine($"{{\"template\": {JsonSerializer.Serialize(template)}, \"vars\": {data}}}");
                if (python.StandardOutput.ReadLine() is not { } line) return null;
                answers.Add(JsonDocument.Parse(line).RootElement);
            }
            python.StandardInput.Close();
            python.WaitForExit();
            return answers;
        }
        catch (Exception failure) when (failure is System.ComponentModel.Win32Exception or IOException)
        {
            return null;
        }
    }
}
