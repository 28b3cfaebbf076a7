namespace Serving.Server.OpenAi.Formats;

/// <summary>DeepSeek V3.1: a list of calls, each a name and its arguments.</summary>
static class DeepSeekV31
{
    public static readonly ToolFormat Format = new("deepseek-v3.1")
    {
        Marks = ["<｜tool▁sep｜>"],
        Opens = "<｜tool▁calls▁begin｜>",
        Call = "<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>{arguments}<｜tool▁call▁end｜>",
        Closes = "<｜tool▁calls▁end｜>",
    };
}
