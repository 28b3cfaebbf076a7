namespace Serving.Server.OpenAi.Formats;

/// <summary>Hermes, Qwen 2.5 and 3, SmolLM3: an object between tags.</summary>
static class Hermes
{
    public static readonly ToolFormat Format = new("hermes")
    {
        Marks = ["<tool_call>"],
        Call = "<tool_call>\n{call}\n</tool_call>",
        Between = "\n",
    };
}
