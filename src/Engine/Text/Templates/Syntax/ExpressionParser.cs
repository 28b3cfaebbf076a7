using System.Globalization;
using System.Numerics;
using Serving.Text.Templates.Filtering;
using Serving.Text.Templates.Library;
using Serving.Text.Templates.Nodes;
using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Syntax;

/// <summary>Parses expressions, from loosest to tightest: if, or, and, not, comparison, + -, ~, * / // %, **, sign, postfix, filter and
/// test.</summary>
sealed class ExpressionParser(TokenStream tokens, TemplateLimits limits)
{
    int _nesting;

    /// <summary>Filters and tests that do not exist; an error unless an <c>if</c> around them may keep them from being reached, as in
    /// Jinja.</summary>
    public List<TemplateException> Unknown { get; } = [];

    /// <summary>Names read so far, which tells a macro whether its body wants <c>caller</c>, <c>varargs</c> or <c>kwargs</c>.</summary>
    public HashSet<string> NamesRead { get; private set; } = [];

    public TokenStream Tokens { get; } = tokens;

    /// <summary>Runs a parsing step one level deeper in the source.</summary>
    public T Nested<T>(Func<T> parse)
    {
        if (++_nesting > limits.Nesting) throw Tokens.Fault($"nested deeper than {limits.Nesting} levels");
        var node = parse();
        _nesting--;
        return node;
    }

    /// <summary>The names that a parsing step reads; they count for what is around it too.</summary>
    public HashSet<string> NamesReadBy(Action parse)
    {
        var outer = NamesRead;
        NamesRead = [];
        parse();
        var inner = NamesRead;
        outer.UnionWith(inner);
        NamesRead = outer;
        return inner;
    }

    public Expression Parse() => Nested(ParseConditional);

    public Expression ParseWithoutCondition() => Nested(ParseOr);

    /// <summary>Expressions between commas: one alone is itself, more are a tuple.</summary>
    public Expression ParseTuple(bool conditions = true, bool mayBeEmpty = false)
    {
        var line = Tokens.Line;
        List<Expression> items = [];
        var isTuple = false;
        while (!EndsTuple(items.Count > 0))
        {
            items.Add(conditions ? Parse() : ParseWithoutCondition());
            if (!Tokens.TrySkipOperator(",")) break;
            isTuple = true;
        }
        if (items.Count == 0 && !mayBeEmpty) throw Tokens.Fault($"Expected an expression, got '{Tokens.Current.Described}'");
        return isTuple || items.Count == 0 ? new TupleLiteral(line, items) : items[0];
    }

    bool EndsTuple(bool begun) => Tokens.Current.Kind is TokenKind.EndPrint or TokenKind.EndBlock or TokenKind.End
        || Tokens.IsOperator(")") || begun && Tokens.IsName("recursive");

    Expression ParseConditional()
    {
        var unknown = Unknown.Count;
        var value = ParseOr();
        while (Tokens.IsName("if"))
        {
            var line = Tokens.Take().Line;
            var test = ParseOr();
            var otherwise = Tokens.TrySkipName("else") ? Parse() : null;
            value = new Conditional(line, test, value, otherwise);
            Unknown.RemoveRange(unknown, Unknown.Count - unknown);
        }
        return value;
    }

    Expression ParseOr()
    {
        var left = ParseAnd();
        while (Tokens.IsName("or")) left = new Or(Tokens.Take().Line, left, ParseAnd());
        return left;
    }

    Expression ParseAnd()
    {
        var left = ParseNot();
        while (Tokens.IsName("and")) left = new And(Tokens.Take().Line, left, ParseNot());
        return left;
    }

    Expression ParseNot() => Tokens.IsName("not")
        ? new Unary(Tokens.Take().Line, static value => Bool.Of(!value.IsTrue), Nested(ParseNot))
        : ParseComparisons();

    Expression ParseComparisons()
    {
        var line = Tokens.Line;
        var first = ParseSum();
        List<(string, Expression)> others = [];
        while (TakeComparison() is { } symbol) others.Add((symbol, ParseSum()));
        return others.Count == 0 ? first : new Comparisons(line, first, others);
    }

    string? TakeComparison()
    {
        if (Tokens.Current is { Kind: TokenKind.Operator, Text: "==" or "!=" or "<" or "<=" or ">" or ">=" }) return Tokens.Take().Text;
        if (Tokens.TrySkipName("in")) return "in";
        if (!Tokens.IsName("not") || !Tokens.Next.Is(TokenKind.Name, "in")) return null;
        Tokens.Take();
        Tokens.Take();
        return "not in";
    }

    Expression ParseSum() => ParseBinary(ParseConcatenation, static symbol => symbol switch
    {
        "+" => Operators.Add,
        "-" => Operators.Subtract,
        _ => null,
    });

    Expression ParseConcatenation()
    {
        var line = Tokens.Line;
        List<Expression> parts = [ParseProduct()];
        while (Tokens.TrySkipOperator("~")) parts.Add(ParseProduct());
        return parts.Count == 1 ? parts[0] : new Concatenation(line, parts);
    }

    Expression ParseProduct() => ParseBinary(ParsePower, static symbol => symbol switch
    {
        "*" => Operators.Multiply,
        "/" => Operators.Divide,
        "//" => Operators.FloorDivide,
        "%" => Operators.Modulo,
        _ => null,
    });

    Expression ParsePower() => ParseBinary(() => ParseSign(), static symbol => symbol == "**" ? Operators.Power : null);

    Expression ParseBinary(Func<Expression> operand, Func<string, BinaryOperator?> find)
    {
        var left = operand();
        while (Tokens.Current.Kind == TokenKind.Operator && find(Tokens.Current.Text) is { } apply)
            left = new Binary(Tokens.Take().Line, left, apply, operand());
        return left;
    }

    Expression ParseSign(bool filters = true)
    {
        var line = Tokens.Line;
        var node = Tokens.TrySkipOperator("-") ? new Unary(line, Operators.Negate, Nested(() => ParseSign(filters: false)))
            : Tokens.TrySkipOperator("+") ? new Unary(line, Operators.Positive, Nested(() => ParseSign(filters: false)))
            : ParsePrimary();
        node = ParsePostfix(node);
        return filters ? ParseFiltersAndTests(node) : node;
    }

    Expression ParsePrimary()
    {
        var token = Tokens.Take();
        return token.Kind switch
        {
            TokenKind.Name => Named(token),
            TokenKind.String => new Literal(token.Line, Joined(token)),
            TokenKind.Integer => new Literal(token.Line, Integer(token)),
            TokenKind.Float => new Literal(token.Line, new Float(double.Parse(token.Text.Replace("_", ""), CultureInfo.InvariantCulture))),
            TokenKind.Operator when token.Text == "(" => Parenthesised(),
            TokenKind.Operator when token.Text == "[" => new ListLiteral(token.Line, Sequence("]", Parse)),
            TokenKind.Operator when token.Text == "{" => new DictLiteral(token.Line, Sequence("}", ParseEntry)),
            _ => throw new TemplateException(TemplateFault.Syntax, $"unexpected '{token.Described}'", token.Line),
        };
    }

    Expression Named(Token token)
    {
        switch (token.Text)
        {
            case "true" or "True": return new Literal(token.Line, Bool.True);
            case "false" or "False": return new Literal(token.Line, Bool.False);
            case "none" or "None": return new Literal(token.Line, None.Value);
            default:
                NamesRead.Add(token.Text);
                return new Name(token.Line, token.Text);
        }
    }

    Str Joined(Token token)
    {
        var text = token.Text;
        while (Tokens.Current.Kind == TokenKind.String) text += Tokens.Take().Text;
        return new Str(text);
    }

    static Int Integer(Token token)
    {
        var digits = token.Text.Replace("_", "");
        var radix = digits.Length > 1 && digits[0] == '0' ? char.ToLowerInvariant(digits[1]) : ' ';
        if (digits.Length > 4300) throw new TemplateException(TemplateFault.Limit, $"an integer of {digits.Length} digits", token.Line);
        try
        {
            return Int.Of(radix switch
            {
                'x' => BigInteger.Parse("0" + digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                'b' => BigInteger.Parse("0" + digits[2..], NumberStyles.AllowBinarySpecifier, CultureInfo.InvariantCulture),
                'o' => digits[2..].Aggregate(BigInteger.Zero, (n, c) => c is >= '0' and <= '7' ? n * 8 + (c - '0')
                    : throw new FormatException()),
                _ => BigInteger.Parse(digits, CultureInfo.InvariantCulture),
            });
        }
        catch (FormatException)
        {
            throw new TemplateException(TemplateFault.Syntax, $"'{token.Text}' is not an integer", token.Line);
        }
    }

    Expression Parenthesised()
    {
        var inner = ParseTuple(mayBeEmpty: true);
        Tokens.ExpectOperator(")");
        return inner;
    }

    /// <summary>Items between commas up to a closing bracket; a comma may stand before the bracket.</summary>
    List<T> Sequence<T>(string close, Func<T> item)
    {
        List<T> items = [];
        while (!Tokens.IsOperator(close))
        {
            if (items.Count > 0) Tokens.ExpectOperator(",");
            if (Tokens.IsOperator(close)) break;
            items.Add(item());
        }
        Tokens.ExpectOperator(close);
        return items;
    }

    (Expression, Expression) ParseEntry()
    {
        var key = Parse();
        Tokens.ExpectOperator(":");
        return (key, Parse());
    }

    Expression ParsePostfix(Expression node)
    {
        while (true)
        {
            var line = Tokens.Line;
            if (Tokens.TrySkipOperator(".")) node = ParseMember(line, node);
            else if (Tokens.TrySkipOperator("[")) node = ParseSubscript(line, node);
            else if (Tokens.IsOperator("(")) node = new CallExpression(line, node, ParseArguments());
            else return node;
        }
    }

    Expression ParseMember(int line, Expression node)
    {
        var member = Tokens.Take();
        return member.Kind switch
        {
            TokenKind.Name => new AttributeAccess(line, node, member.Text),
            TokenKind.Integer => new ItemAccess(line, node, new Literal(line, Integer(member))),
            _ => throw new TemplateException(TemplateFault.Syntax, $"expected name or number, got '{member.Described}'", member.Line),
        };
    }

    Expression ParseSubscript(int line, Expression node)
    {
        Expression? from = Tokens.IsOperator(":") ? null : Parse();
        if (Tokens.IsOperator(":"))
        {
            Expression? to = null, by = null;
            if (Tokens.TrySkipOperator(":") && !Tokens.IsOperator(":") && !Tokens.IsOperator("]")) to = Parse();
            if (Tokens.TrySkipOperator(":") && !Tokens.IsOperator("]")) by = Parse();
            Tokens.ExpectOperator("]");
            return new SliceAccess(line, node, (from, to, by));
        }
        if (Tokens.TrySkipOperator(",")) from = new TupleLiteral(line, [from!, .. Sequence("]", Parse)]);
        else Tokens.ExpectOperator("]");
        return new ItemAccess(line, node, from!);
    }

    public ArgumentList ParseArguments()
    {
        Tokens.ExpectOperator("(");
        return new ArgumentList(Sequence(")", ParseArgument));
    }

    (ArgumentKind, string, Expression) ParseArgument()
    {
        if (Tokens.TrySkipOperator("**")) return (ArgumentKind.SpreadNamed, "", Parse());
        if (Tokens.TrySkipOperator("*")) return (ArgumentKind.Spread, "", Parse());
        if (Tokens.Current.Kind != TokenKind.Name
            || !Tokens.Next.Is(TokenKind.Operator, "=")) return (ArgumentKind.Positional, "", Parse());
        var name = Tokens.Take().Text;
        Tokens.Take();
        return (ArgumentKind.Named, name, Parse());
    }

    Expression ParseFiltersAndTests(Expression node)
    {
        while (true)
        {
            var line = Tokens.Line;
            if (Tokens.TrySkipOperator("|")) node = ParseFilter(node);
            else if (Tokens.TrySkipName("is")) node = ParseTest(line, node);
            else if (Tokens.IsOperator("(")) node = new CallExpression(line, node, ParseArguments());
            else return node;
        }
    }

    /// <summary>The filter named next, on a value or, in a filter block, on what the block prints.</summary>
    public FilterExpression ParseFilter(Expression? value)
    {
        var line = Tokens.Line;
        var name = DottedName();
        if (!Filters.All.ContainsKey(name)) Unknown.Add(new TemplateException(TemplateFault.Syntax, $"No filter named '{name}'.", line));
        return new FilterExpression(line, value, name, Tokens.IsOperator("(") ? ParseArguments() : ArgumentList.Empty);
    }

    Expression ParseTest(int line, Expression value)
    {
        var negated = Tokens.TrySkipName("not");
        var name = DottedName();
        if (!Tests.All.ContainsKey(name)) Unknown.Add(new TemplateException(TemplateFault.Syntax, $"No test named '{name}'.", line));
        var test = new TestExpression(line, value, name, ParseTestArguments());
        return negated ? new Unary(line, static result => Bool.Of(!result.IsTrue), test) : test;
    }

    ArgumentList ParseTestArguments()
    {
        if (Tokens.IsOperator("(")) return ParseArguments();
        var starts = Tokens.Current switch
        {
            { Kind: TokenKind.String or TokenKind.Integer or TokenKind.Float } => true,
            { Kind: TokenKind.Operator, Text: "[" or "{" } => true,
            { Kind: TokenKind.Name, Text: not ("else" or "or" or "and" or "if") } => true,
            _ => false,
        };
        if (!starts) return ArgumentList.Empty;
        if (Tokens.IsName("is")) throw Tokens.Fault("You cannot chain multiple tests with is");
        return new ArgumentList([(ArgumentKind.Positional, "", ParsePostfix(ParsePrimary()))]);
    }

    string DottedName()
    {
        var name = Tokens.Expect(TokenKind.Name, "a name").Text;
        while (Tokens.TrySkipOperator(".")) name += "." + Tokens.Expect(TokenKind.Name, "a name").Text;
        return name;
    }
}
