using System.Text.Json;
using System.Text.RegularExpressions;
using Serving.Grammar.Expressions;
using Serving.Server.Http;
using Serving.Text;
using Serving.Text.Templates;

namespace Serving.Server.OpenAi;

/// <summary>How a request lets the model use tools.</summary>
/// <param name="Format">How the model spells calls.</param>
/// <param name="Json">The tools as the chat template gets them.</param>
/// <param name="Callable">Those that may be called.</param>
sealed partial record ToolUse(ToolFormat Format, JsonElement Json, IReadOnlyList<ToolDefinition> Callable)
{
    /// <summary>Whether the answer must be calls.</summary>
    public bool MustCall { get; private init; }

    /// <summary>Whether the request names the one tool to call.</summary>
    public bool IsNamed { get; private init; }

    /// <summary>Whether there may be several calls.</summary>
    public bool Parallel { get; private init; } = true;

    /// <summary>Reads tools, tool_choice and parallel_tool_calls; null where nothing may be called.</summary>
    public static ToolUse? Read(RequestReader read, ChatTemplate? template)
    {
        var parallel = read.Flag("parallel_tool_calls") ?? true;
        var tools = ToolDefinition.ReadAll(read);
        var choice = read.Find("tool_choice");
        if (tools.Count == 0)
            return choice is null ? null : throw ApiException.Invalid("tool_choice", "invalid_value", "'tool_choice' is only allowed when 'tools' are given.");
        if (template is null)
            throw ApiException.Unsupported("tools", "This model has no chat template, so it cannot be told of tools.");
        var use = new ToolUse(ToolFormats.Of(template), read.Find("tools")!.Value.Element, tools) { Parallel = parallel };
        return choice is { IsString: true } word ? Chosen(use, word.AsOneOf("none", "auto", "required")) : choice is { } rule ? use.Ruled(rule, tools) : use;
    }

    /// <summary>The calls as a grammar.</summary>
    public Expr Calls() => new ToolGrammar(Format).Calls(Callable, Parallel && !IsNamed);

    /// <summary>The same for requests whose calls are the same.</summary>
    public string Key => $"{Format.Name} {Parallel && !IsNamed} {string.Join(' ', Callable.Select(tool => tool.Name))} {Json.GetRawText()}";

    /// <summary>The control tokens that texts of the format and of thoughts hold, which must be spelled out to be found.</summary>
    public static IReadOnlySet<int> Shown(Tokenizer tokenizer, ToolFormat? format, ReasoningTags? tags) =>
        Tag().Matches($"{format?.Opens} {format?.Call} {format?.Closes} {format?.Pair} <|python_tag|>[CALL_ID] {tags?.Opens} {tags?.Closes}")
            .Select(tag => tokenizer.IdOf(tag.Value)).OfType<int>().Where(tokenizer.IsSpecial).ToHashSet();

    static ToolUse? Chosen(ToolUse use, string word) => word == "none" ? null : use with { MustCall = word == "required" };

    ToolUse Ruled(RequestValue value, List<ToolDefinition> tools)
    {
        var rule = value.AsObject();
        if (rule.Required("type").AsOneOf("function", "allowed_tools") == "function")
            return this with { MustCall = true, IsNamed = true, Callable = [Named(rule, tools)] };
        var allowed = rule.Object("allowed_tools") ?? throw ApiException.Missing(rule.PathOf("allowed_tools"));
        var named = allowed.Required("tools").AsList(1, tools.Count).Select(tool => Named(tool.AsObject(), tools)).Distinct().ToList();
        return this with { MustCall = allowed.Required("mode").AsOneOf("auto", "required") == "required", Callable = named };
    }

    static ToolDefinition Named(RequestReader rule, List<ToolDefinition> tools)
    {
        var function = rule.Object("function") ?? throw ApiException.Missing(rule.PathOf("function"));
        var name = function.Required("name").AsString();
        return tools.Find(tool => tool.Name == name) ?? throw ApiException.Invalid(function.PathOf("name"), "invalid_value",
            $"'{function.PathOf("name")}' is '{RequestValue.Shortened(name)}', which is none of the tools.");
    }

    [GeneratedRegex(@"<[^<>\s]+>|\[/?[A-Z_]+\]")]
    private static partial Regex Tag();
}
