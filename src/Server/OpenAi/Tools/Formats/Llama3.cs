namespace Serving.Server.OpenAi.Formats;

/// <summary>Llama 3.1 to 3.3: the answer is the call's object, and its arguments are called parameters.</summary>
static class Llama3
{
    public static readonly ToolFormat Format = new("llama3")
    {
        Marks = ["\"parameters\": dictionary of argument name"],
        Call = "{call}",
        ArgumentsKey = "parameters",
        Between = "; ",
    };
}
