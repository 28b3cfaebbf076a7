namespace Serving.Server.OpenAi.Formats;

/// <summary>DeepSeek V3 and R1: a list of calls, the arguments fenced as code.</summary>
static class DeepSeekV3
{
    public static readonly ToolFormat Format = new("deepseek-v3")
    {
        Marks = ["<｜tool▁sep｜>", "```json"],
        Opens = "<｜tool▁calls▁begin｜>",
        Call = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```<｜tool▁call▁end｜>",
        Between = "\n",
        Closes = "<｜tool▁calls▁end｜>",
    };
}
