using Serving.Grammar;
using Serving.Grammar.Expressions;

namespace Serving.Server.OpenAi;

/// <summary>What a chat's answer is held to: its form, its calls, either, or nothing; after a thought where the model may have one.</summary>
static class HeldAnswer
{
    public static AnswerShape? Of(AnswerShape? shape, ToolUse? tools, ReasoningTags? tags, bool isThinking)
    {
        var held = tools switch
        {
            { MustCall: true } => new("tool_choice", tools.Key, tools.Calls),
            not null when shape is not null => shape with
            {
                Key = $"{tools.Key}\n{shape.Key}",
                Read = () => Expr.OneOf([tools.Calls(), shape.Read()]),
            },
            _ => shape,
        };
        return held is null || tags is null ? held : held with
        {
            Key = $"{tags.Opens} {isThinking}\n{held.Key}",
            Read = () => Expr.Of(Thought(tags, isThinking), held.Read()),
        };
    }

    static Expr Thought(ReasoningTags tags, bool isOpen)
    {
        var rest = Expr.Of(GrammarSources.Until(tags.Closes), GrammarSources.Space, GrammarSources.Space);
        return isOpen ? rest : Expr.Of(Expr.Marker(tags.Opens), rest).OrEmpty();
    }
}
