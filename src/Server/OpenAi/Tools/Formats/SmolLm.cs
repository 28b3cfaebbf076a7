namespace Serving.Server.OpenAi.Formats;

/// <summary>SmolLM2: a list of objects between tags. Stands in for templates that print no tools, whose models are told of it in the system message.</summary>
static class SmolLm
{
    public static readonly ToolFormat Format = new("smollm")
    {
        Marks = ["<tool_call>[", "func_name1"],
        Opens = "<tool_call>[",
        Call = "{call}",
        Between = ", ",
        Closes = "]</tool_call>",
    };
}
