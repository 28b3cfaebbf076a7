namespace Serving.Server.OpenAi.Formats;

/// <summary>The answer is the call's object. Stands in for templates that print tools and are of no family here.</summary>
static class PlainJson
{
    public static readonly ToolFormat Format = new("json")
    {
        Marks = [],
        Call = "{call}",
        Between = "\n",
    };
}
