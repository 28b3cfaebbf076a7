namespace Serving.Server.OpenAi.Formats;

/// <summary>Kimi K2: a section of calls, whose ids hold the name and a number.</summary>
static class Kimi
{
    public static readonly ToolFormat Format = new("kimi")
    {
        Marks = ["<|tool_calls_section_begin|>", "<|tool_call_argument_begin|>"],
        Opens = "<|tool_calls_section_begin|>",
        Call = "<|tool_call_begin|>functions.{name}:{number}<|tool_call_argument_begin|>{arguments}<|tool_call_end|>",
        Closes = "<|tool_calls_section_end|>",
        Id = (name, number) => $"functions.{name}:{number}",
    };
}
