using Serving.Server.OpenAi.Formats;
using Serving.Text.Templates;

namespace Serving.Server.OpenAi;

/// <summary>All formats of tool calls, those with more marks before those whose marks they share.</summary>
static class ToolFormats
{
    static readonly ToolFormat[] Marked =
    [
        Kimi.Format, Glm.Format, QwenCoder.Format, DeepSeekV3.Format, DeepSeekV31.Format, MistralNamed.Format, Mistral.Format, SmolLm.Format,
        Hermes.Format, Llama3.Format,
    ];

    /// <summary>Every format.</summary>
    public static IReadOnlyList<ToolFormat> All { get; } = [.. Marked, PlainJson.Format];

    /// <summary>The format of the models that a template is for.</summary>
    public static ToolFormat Of(ChatTemplate template) =>
        Array.Find(Marked, format => format.Describes(template.Source)) ?? (template.Capabilities.Tools ? PlainJson.Format : SmolLm.Format);
}
