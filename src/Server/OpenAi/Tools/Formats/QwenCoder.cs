namespace Serving.Server.OpenAi.Formats;

/// <summary>Qwen3-Coder: a function and its parameters as tags.</summary>
static class QwenCoder
{
    public static readonly ToolFormat Format = new("qwen-coder")
    {
        Marks = ["<tool_call>", "<function=", "<parameter="],
        Call = "<tool_call>\n<function={name}>\n{pairs}</function>\n</tool_call>",
        Pair = "<parameter={key}>\n{value}\n</parameter>\n",
        Between = "\n",
    };
}
