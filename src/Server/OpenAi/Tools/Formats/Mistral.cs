namespace Serving.Server.OpenAi.Formats;

/// <summary>Mistral up to the third version of its tokenizer: one list of objects; ids have nine letters and digits.</summary>
static class Mistral
{
    public static readonly ToolFormat Format = new("mistral")
    {
        Marks = ["[TOOL_CALLS]"],
        Opens = "[TOOL_CALLS][",
        Call = "{call}",
        Between = ", ",
        Closes = "]",
        Id = NineCharacters,
    };

    public static string NineCharacters(string name, int number) => Random.Shared.GetHexString(9, lowercase: true);
}
