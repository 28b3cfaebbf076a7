namespace Serving.Server.OpenAi.Formats;

/// <summary>Mistral from the eleventh version of its tokenizer on: a name and its arguments after a token each.</summary>
static class MistralNamed
{
    public static readonly ToolFormat Format = new("mistral-named")
    {
        Marks = ["[TOOL_CALLS]", "[ARGS]"],
        Call = "[TOOL_CALLS]{name}{id}[ARGS]{arguments}",
        Id = Mistral.NineCharacters,
    };
}
