using System.Collections.Immutable;
using System.Text;

namespace Serving.Server.Commands;

/// <summary>A plan for people to read.</summary>
static class PlanText
{
    public static string Of(CachePlan plan)
    {
        var text = new StringBuilder($"""
            model     {plan.Model}: {plan.Layers} layers that attend, {plan.Heads.Heads} heads with d = {plan.Heads.Width}
            planned   sequences of {plan.Context:N0} tokens, {Size(plan.Options.Bytes)} of cache in pages of {plan.Options.PageTokens} tokens

            A token leaves in this model, in a cache of {Type(plan)}:

            """);
        Table(text, ["layers", "scheme", "rows", "cached", "elements", "bytes"], plan.Kinds.Select(kind => new[]
        {
            LayerRanges.Of(kind.Layers), kind.Scheme, kind.Rows, kind.Streams, $"{kind.Elements:#,0.##}", $"{kind.Bytes:#,0.##}",
        }), numbers: 4);
        text.Append("\nThe same rows in every type:\n");
        Table(text, ["type", "how", .. Figures], plan.Types.Select(type => Row(plan, type)), numbers: 2);
        text.Append($"\nThe same heads with other schemes, in {Type(plan)}, G = {plan.Heads.Groups} where heads share keys and values:\n");
        Table(text, ["scheme", "cached in a layer", .. Figures], plan.Schemes.Append(plan.Own with { Name = "this model", Widths = plan.Own.Name })
            .OrderByDescending(scheme => scheme.BytesPerToken).Select(scheme => Row(plan, scheme)), numbers: 2);
        text.Append("\nEvery scheme in every type, bytes of a token in all layers and sequences that fit:\n");
        Table(text, ["scheme", .. plan.Types.SelectMany(type => (string[])[type.Name, "fit"])], plan.SchemesByType.Select(scheme => (string[])
            [scheme.Name, .. scheme.Types.SelectMany(type => (string[])[$"{type.BytesPerToken:#,0.##}", $"{type.LargestBatch:N0}"])]), numbers: 1);
        return text.ToString();
    }

    /// <summary>The name of the planned type.</summary>
    public static string Type(CachePlan plan) => plan.Options.Type.ToString().ToLowerInvariant();

    /// <summary>Bytes in the largest binary unit that they fill.</summary>
    public static string Size(long bytes) => bytes switch
    {
        >= 1L << 30 => $"{bytes / (double)(1L << 30):0.##} GiB",
        >= 1L << 20 => $"{bytes / (double)(1L << 20):0.##} MiB",
        _ => $"{bytes:N0} bytes",
    };

    static readonly string[] Figures = ["elements", "bytes", "bytes a layer", "tokens in 1 GiB", "sequences", "of this"];

    static string[] Row(CachePlan plan, CacheFigures figures) =>
    [
        figures.Name, figures.Widths, $"{figures.ElementsPerToken:#,0.##}", $"{figures.BytesPerToken:#,0.##}", $"{figures.BytesPerTokenAndLayer:N1}",
        $"{figures.TokensPerGibibyte:N0}", $"{figures.LargestBatch:N0}", $"{figures.BytesPerToken / plan.Own.BytesPerToken:P0}",
    ];

    /// <summary>Columns as wide as their widest cell; numbers, from a column on, stand to the right.</summary>
    static void Table(StringBuilder text, string[] head, IEnumerable<string[]> rows, int numbers)
    {
        ImmutableArray<string[]> all = [head, .. rows];
        var widths = head.Select((_, column) => all.Max(row => row[column].Length)).ToArray();
        foreach (var row in all)
        {
            var cells = row.Select((cell, column) => column < numbers ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
            text.Append("  ").Append(string.Join("  ", cells).TrimEnd()).Append('\n');
        }
    }
}
