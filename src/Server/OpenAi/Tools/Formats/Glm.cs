namespace Serving.Server.OpenAi.Formats;

/// <summary>GLM 4.5 and later: a name, then keys and values between tags.</summary>
static class Glm
{
    public static readonly ToolFormat Format = new("glm")
    {
        Marks = ["<tool_call>", "<arg_key>"],
        Call = "<tool_call>{name}\n{pairs}</tool_call>",
        Pair = "<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>\n",
        Between = "\n",
    };
}
