using System.Globalization;
using System.Net;
using System.Text;

namespace Serving.Server.Commands;

/// <summary>A plan as an SVG picture: bytes that a token leaves, as bars, for every scheme and for every type; beside each how many sequences fit.</summary>
static class PlanPicture
{
    const int Width = 960, Left = 150, Right = 250, Row = 26, Bar = 16, Top = 104, Between = 84;
    const string Ink = "#1f2933", Quiet = "#616e7c", Grid = "#e4e7eb", Other = "#9fb3c8", This = "#0f6fbd";

    public static string Of(CachePlan plan)
    {
        var own = plan.Own with { Name = "this model" };
        CacheFigures[] schemes = [.. plan.Schemes.Append(own).OrderByDescending(scheme => scheme.BytesPerToken)];
        var second = Top + schemes.Length * Row + Between;
        var height = second + plan.Types.Length * Row + 52;
        var svg = new StringBuilder($"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{Width}" height="{height}" viewBox="0 0 {Width} {height}" font-family="Inter, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif" font-size="13" fill="{Ink}">
            <rect width="{Width}" height="{height}" fill="#ffffff"/>
            <text x="24" y="34" font-size="19" font-weight="600">What a token leaves in the cache of {Escaped(plan.Model)}</text>
            <text x="24" y="55" fill="{Quiet}">{plan.Layers} layers, {plan.Heads.Heads} heads of {plan.Heads.Width}; sequences of {plan.Context:N0} tokens in {PlanText.Size(plan.Options.Bytes)} of cache</text>

            """);
        Chart(svg, $"The same heads with every scheme, as {PlanText.Type(plan)}", Top, schemes, schemes.Select(scheme => scheme == own));
        Chart(svg, $"This model ({Escaped(plan.Own.Name)}) in every type", second, [.. plan.Types], plan.Types.Select(type => type.Name == PlanText.Type(plan)));
        return svg.Append("</svg>\n").ToString();
    }

    static void Chart(StringBuilder svg, string title, int top, CacheFigures[] figures, IEnumerable<bool> marked)
    {
        var (greatest, bottom) = (figures.Max(figure => figure.BytesPerToken), top + figures.Length * Row);
        Text(svg, 24, top - 14, title, "font-weight=\"600\"");
        Text(svg, Width - 24, top - 14, "sequences that fit", $"fill=\"{Quiet}\" text-anchor=\"end\"");
        var step = Step(greatest / 5.0);
        for (var bytes = 0L; bytes <= greatest; bytes += step)
        {
            var x = Place(bytes, greatest);
            svg.Append($"<path d=\"M{x} {top - 4}V{bottom}\" stroke=\"{Grid}\"/>\n");
            Text(svg, x, bottom + 16, Short(bytes), $"fill=\"{Quiet}\" font-size=\"11\" text-anchor=\"middle\"");
        }
        Text(svg, Place(greatest, greatest), bottom + 32, "bytes a token, all layers", $"fill=\"{Quiet}\" font-size=\"11\" text-anchor=\"end\"");
        foreach (var ((figure, mark), index) in figures.Zip(marked).Select((pair, index) => (pair, index)))
        {
            var (y, x) = (top + index * Row, Place(figure.BytesPerToken, greatest));
            var weight = mark ? "font-weight=\"600\"" : "";
            Text(svg, Left - 10, y + 17, figure.Name, $"{weight} text-anchor=\"end\"");
            svg.Append($"<path d=\"M{Left} {y + 5}H{x}V{y + 5 + Bar}H{Left}Z\" fill=\"{(mark ? This : Other)}\"><title>{Escaped($"{figure.Name}: {figure.Widths}")}</title></path>\n");
            Text(svg, x, y + 17, $"{figure.BytesPerToken:#,0.##}", $"dx=\"6\" font-size=\"12\" {weight}");
            Text(svg, Width - 24, y + 17, $"{figure.LargestBatch:N0}", $"{weight} text-anchor=\"end\"");
        }
    }

    static string Place(double bytes, double greatest) =>
        (Left + bytes / greatest * (Width - Left - Right)).ToString("0.#", CultureInfo.InvariantCulture);

    static void Text(StringBuilder svg, object x, int y, string text, string style) =>
        svg.Append($"<text x=\"{x}\" y=\"{y}\" {style}>{Escaped(text)}</text>\n");

    /// <summary>The least of 1, 2 and 5 times a power of ten that is not below a number, and at least 1.</summary>
    static long Step(double least)
    {
        var power = (long)Math.Pow(10, Math.Max(0, Math.Floor(Math.Log10(Math.Max(1, least)))));
        foreach (var factor in (ReadOnlySpan<int>)[1, 2, 5])
            if (factor * power >= least) return factor * power;
        return 10 * power;
    }

    static string Short(long bytes) => bytes >= 1000 ? $"{bytes / 1000.0:0.#}k" : $"{bytes}";

    static string Escaped(string text) => WebUtility.HtmlEncode(text);
}
