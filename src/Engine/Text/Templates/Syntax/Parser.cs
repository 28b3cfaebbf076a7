using Serving.Text.Templates.Nodes;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Syntax;

/// <summary>Parses a template's statements.</summary>
sealed class Parser
{
    static readonly HashSet<string> Reserved =
        ["true", "false", "none", "True", "False", "None", "not", "and", "or", "if", "else", "in", "is"];

    readonly TokenStream _tokens;
    readonly ExpressionParser _expressions;
    readonly Stack<string> _open = new();
    int _loops;

    Parser(string source, TemplateLimits limits)
    {
        _tokens = new TokenStream(Lexer.Read(source));
        _expressions = new ExpressionParser(_tokens, limits);
    }

    /// <summary>The syntax tree of a source.</summary>
    public static Block Parse(string source, TemplateLimits limits)
    {
        if (source.Length > limits.SourceCharacters)
            throw new TemplateException(TemplateFault.Limit,
                $"A template of {source.Length} characters is longer than {limits.SourceCharacters}.");
        var parser = new Parser(source, limits);
        var block = parser.ParseBlock();
        return parser._expressions.Unknown is [var unknown, ..] ? throw unknown : block;
    }

    /// <summary>Statements up to one of the given closing tags, whose name is taken and left as the current token's predecessor.</summary>
    Block ParseBlock(params ReadOnlySpan<string> ends)
    {
        List<Statement> statements = [];
        while (true)
        {
            var token = _tokens.Take();
            switch (token.Kind)
            {
                case TokenKind.Text: statements.Add(new PlainText(token.Line, new Str(token.Text))); break;
                case TokenKind.BeginPrint: statements.Add(ParsePrint(token.Line)); break;
                case TokenKind.BeginBlock when ends.Contains(_tokens.Current.Text): return new Block(statements);
                case TokenKind.BeginBlock: statements.Add(_expressions.Nested(ParseStatement)); break;
                default: return ends.IsEmpty ? new Block(statements) : throw Unclosed(string.Join("' or '", ends));
            }
        }
    }

    TemplateException Unclosed(string ends) => _tokens.Fault(
        $"Unexpected end of template; '{ends}' is missing: the innermost block that needs to be closed is '{_open.Peek()}'.");

    Print ParsePrint(int line)
    {
        var value = _expressions.ParseTuple();
        _tokens.Expect(TokenKind.EndPrint, "end of print statement");
        return new Print(line, value);
    }

    void EndTag() => _tokens.Expect(TokenKind.EndBlock, "end of statement block");

    /// <summary>A body and its closing tag, which is taken whole.</summary>
    Block ParseBody(string end)
    {
        EndTag();
        var body = ParseBlock(end);
        _tokens.ExpectName(end);
        EndTag();
        return body;
    }

    Statement ParseStatement()
    {
        var token = _tokens.Expect(TokenKind.Name, "a tag name");
        _open.Push(token.Text);
        Statement statement = token.Text switch
        {
            "if" => ParseIf(token.Line),
            "for" => ParseFor(token.Line),
            "set" => ParseSet(token.Line),
            "macro" => ParseMacro(token.Line),
            "call" => ParseCall(token.Line),
            "filter" => ParseFilterBlock(token.Line),
            "with" => ParseWith(token.Line),
            "generation" => new With(token.Line, [], ParseBody("endgeneration")),
            "break" => ParseJump(token.Line, Flow.Break),
            "continue" => ParseJump(token.Line, Flow.Continue),
            _ => throw Unknown(token),
        };
        _open.Pop();
        return statement;
    }

    TemplateException Unknown(Token tag)
    {
        _open.Pop();
        var reason = tag.Text switch
        {
            "include" or "import" or "from" or "extends" or "block" => $"'{tag.Text}' is not supported: a chat template stands alone.",
            _ when _open.Count > 0 => $"Encountered unknown tag '{tag.Text}' inside '{_open.Peek()}'.",
            _ => $"Encountered unknown tag '{tag.Text}'.",
        };
        return new TemplateException(TemplateFault.Syntax, reason, tag.Line);
    }

    If ParseIf(int line)
    {
        var unknown = _expressions.Unknown.Count;
        List<(Expression, Block)> branches = [];
        Block? otherwise = null;
        do
        {
            var test = _expressions.ParseTuple(conditions: false);
            EndTag();
            branches.Add((test, ParseBlock("elif", "else", "endif")));
        }
        while (_tokens.TrySkipName("elif"));
        if (_tokens.TrySkipName("else")) otherwise = ParseBody("endif");
        else
        {
            _tokens.ExpectName("endif");
            EndTag();
        }
        _expressions.Unknown.RemoveRange(unknown, _expressions.Unknown.Count - unknown);
        return new If(line, branches, otherwise);
    }

    For ParseFor(int line)
    {
        var target = ParseTargets(members: false);
        _tokens.ExpectName("in");
        var items = _expressions.ParseTuple(conditions: false);
        var test = _tokens.TrySkipName("if") ? _expressions.Parse() : null;
        var recursive = _tokens.TrySkipName("recursive");
        EndTag();
        _loops++;
        var body = ParseBlock("else", "endfor");
        _loops--;
        Block? otherwise = null;
        if (_tokens.TrySkipName("else")) otherwise = ParseBody("endfor");
        else
        {
            _tokens.ExpectName("endfor");
            EndTag();
        }
        return new For(line, target, items, body) { Test = test, Otherwise = otherwise, Recursive = recursive };
    }

    Statement ParseSet(int line)
    {
        var target = ParseTargets(members: true);
        if (_tokens.TrySkipOperator("="))
        {
            var value = _expressions.ParseTuple();
            EndTag();
            return new Set(line, target, value);
        }
        List<FilterExpression> filters = [];
        while (_tokens.TrySkipOperator("|")) filters.Add(_expressions.ParseFilter(null));
        return new Captured(line, target, filters, ParseBody("endset"));
    }

    Captured ParseFilterBlock(int line)
    {
        List<FilterExpression> filters = [_expressions.ParseFilter(null)];
        while (_tokens.TrySkipOperator("|")) filters.Add(_expressions.ParseFilter(null));
        return new Captured(line, null, filters, ParseBody("endfilter"));
    }

    With ParseWith(int line)
    {
        List<(Target, Expression)> settings = [];
        while (_tokens.Current.Kind != TokenKind.EndBlock)
        {
            if (settings.Count > 0) _tokens.ExpectOperator(",");
            var target = ParseTarget(members: false);
            _tokens.ExpectOperator("=");
            settings.Add((target, _expressions.Parse()));
        }
        return new With(line, settings, ParseBody("endwith"));
    }

    Define ParseMacro(int line)
    {
        var name = _tokens.Expect(TokenKind.Name, "the macro's name").Text;
        return new Define(line, ParseDefinition(name, ParseParameters(), "endmacro"));
    }

    CallBlock ParseCall(int line)
    {
        var parameters = _tokens.IsOperator("(") ? ParseParameters() : [];
        var call = _expressions.Parse() as CallExpression ?? throw _tokens.Fault("expected call");
        return new CallBlock(line, call, ParseDefinition("caller", parameters, "endcall"));
    }

    MacroDefinition ParseDefinition(string name, List<(string, Expression?)> parameters, string end)
    {
        var body = new Block([]);
        var loops = _loops;
        _loops = 0;
        var read = _expressions.NamesReadBy(() => body = ParseBody(end));
        _loops = loops;
        return new MacroDefinition(name, parameters, body)
        {
            TakesPositional = read.Contains("varargs"),
            TakesNamed = read.Contains("kwargs"),
            TakesCaller = read.Contains("caller"),
        };
    }

    List<(string, Expression?)> ParseParameters()
    {
        List<(string, Expression?)> parameters = [];
        _tokens.ExpectOperator("(");
        while (!_tokens.IsOperator(")"))
        {
            if (parameters.Count > 0) _tokens.ExpectOperator(",");
            var name = _tokens.Expect(TokenKind.Name, "a parameter's name").Text;
            var otherwise = _tokens.TrySkipOperator("=") ? _expressions.Parse() : null;
            if (otherwise is null && parameters is [.., (_, not null)])
                throw _tokens.Fault($"parameter '{name}' without a default follows one with a default");
            parameters.Add((name, otherwise));
        }
        _tokens.ExpectOperator(")");
        return parameters;
    }

    Jump ParseJump(int line, Flow flow)
    {
        if (_loops == 0) throw _tokens.Fault($"'{(flow == Flow.Break ? "break" : "continue")}' stands outside of a loop");
        EndTag();
        return new Jump(line, flow);
    }

    /// <summary>One target or several between commas.</summary>
    Target ParseTargets(bool members)
    {
        List<Target> targets = [ParseTarget(members)];
        var several = false;
        while (_tokens.TrySkipOperator(","))
        {
            several = true;
            if (_tokens.Current.Kind != TokenKind.Name && !_tokens.IsOperator("(") || _tokens.IsName("in")) break;
            targets.Add(ParseTarget(members));
        }
        return several ? new Target.Several(targets) : targets[0];
    }

    Target ParseTarget(bool members)
    {
        if (_tokens.TrySkipOperator("("))
        {
            var inner = _expressions.Nested(() => ParseTargets(members));
            _tokens.ExpectOperator(")");
            return inner;
        }
        var name = _tokens.Expect(TokenKind.Name, "a name to assign to");
        if (Reserved.Contains(name.Text))
            throw new TemplateException(TemplateFault.Syntax, $"can't assign to '{name.Text}'", name.Line);
        return members && _tokens.TrySkipOperator(".")
            ? new Target.Member(name.Text, _tokens.Expect(TokenKind.Name, "a member's name").Text)
            : new Target.Variable(name.Text);
    }
}
