using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text;

namespace Serving.Server.Commands;

/// <summary>A value as a bar.</summary>
/// <param name="Name">What stands before it.</param>
/// <param name="Value">How long it is; at least 0.</param>
/// <param name="Label">What stands behind it.</param>
sealed record Bar(string Name, double Value, string Label)
{
    /// <summary>What stands at the right edge.</summary>
    public string Note { get; init; } = "";

    /// <summary>Whether it stands out.</summary>
    public bool IsMarked { get; init; }

    /// <summary>What a pointer over it is told.</summary>
    public string Hint { get; init; } = "";
}

/// <summary>Bars on one scale.</summary>
/// <param name="Title">What they show.</param>
/// <param name="Axis">In which unit.</param>
/// <param name="Notes">What stands over the notes.</param>
/// <param name="Bars">The bars, from top to bottom.</param>
sealed record BarChart(string Title, string Axis, string Notes, IReadOnlyList<Bar> Bars);

/// <summary>Charts of bars, one below the other, as an SVG picture.</summary>
/// <param name="left">Room for the names of bars.</param>
sealed class BarPicture(int left)
{
    const int Width = 960, Right = 250, Row = 26, Thickness = 16, Top = 104, Between = 84;
    const string Ink = "#1f2933", Quiet = "#616e7c", Grid = "#e4e7eb", Other = "#9fb3c8", This = "#0f6fbd";

    readonly StringBuilder _svg = new();

    public static string Of(string title, string subtitle, IReadOnlyList<BarChart> charts, int left = 150) => new BarPicture(left).Draw(title, subtitle, charts);

    /// <summary>The option that names the file of a picture.</summary>
    public static Option<string?> Option() => new("--plot") { Description = "Write a picture of it to this SVG file." };

    /// <summary>Writes a picture to a file.</summary>
    public static void Write(string path, string picture)
    {
        File.WriteAllText(path, picture);
        Console.Error.WriteLine($"The picture is in {path}.");
    }

    string Draw(string title, string subtitle, IReadOnlyList<BarChart> charts)
    {
        var height = Top + charts.Sum(chart => chart.Bars.Count * Row + Between) - Between + 52;
        _svg.Append($"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{Width}" height="{height}" viewBox="0 0 {Width} {height}" font-family="Inter, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif" font-size="13" fill="{Ink}">
            <rect width="{Width}" height="{height}" fill="#ffffff"/>
            <text x="24" y="34" font-size="19" font-weight="600">{Escaped(title)}</text>
            <text x="24" y="55" fill="{Quiet}">{Escaped(subtitle)}</text>

            """);
        var top = Top;
        foreach (var chart in charts)
        {
            Chart(chart, top);
            top += chart.Bars.Count * Row + Between;
        }
        return _svg.Append("</svg>\n").ToString();
    }

    void Chart(BarChart chart, int top)
    {
        var (greatest, bottom) = (Math.Max(chart.Bars.Max(bar => bar.Value), 1e-9), top + chart.Bars.Count * Row);
        Text(24, top - 14, chart.Title, "font-weight=\"600\"");
        Text(Width - 24, top - 14, chart.Notes, $"fill=\"{Quiet}\" text-anchor=\"end\"");
        var step = Step(greatest / 5);
        for (var line = 0; line * step <= greatest; line++)
        {
            var x = Place(line * step, greatest);
            _svg.Append($"<path d=\"M{x} {top - 4}V{bottom}\" stroke=\"{Grid}\"/>\n");
            Text(x, bottom + 16, Short(line * step), $"fill=\"{Quiet}\" font-size=\"11\" text-anchor=\"middle\"");
        }
        Text(Place(greatest, greatest), bottom + 32, chart.Axis, $"fill=\"{Quiet}\" font-size=\"11\" text-anchor=\"end\"");
        foreach (var (bar, index) in chart.Bars.Select((bar, index) => (bar, index)))
        {
            var (y, x) = (top + index * Row, Place(bar.Value, greatest));
            var weight = bar.IsMarked ? "font-weight=\"600\"" : "";
            Text(left - 10, y + 17, bar.Name, $"{weight} text-anchor=\"end\"");
            _svg.Append($"<path d=\"M{left} {y + 5}H{x}V{y + 5 + Thickness}H{left}Z\" fill=\"{(bar.IsMarked ? This : Other)}\"><title>{Escaped(bar.Hint.Length > 0 ? bar.Hint : $"{bar.Name}: {bar.Label}")}</title></path>\n");
            Text(x, y + 17, bar.Label, $"dx=\"6\" font-size=\"12\" {weight}");
            Text(Width - 24, y + 17, bar.Note, $"{weight} text-anchor=\"end\"");
        }
    }

    string Place(double value, double greatest) => (left + value / greatest * (Width - left - Right)).ToString("0.#", CultureInfo.InvariantCulture);

    void Text(object x, int y, string text, string style)
    {
        if (text.Length > 0) _svg.Append($"<text x=\"{x}\" y=\"{y}\" {style}>{Escaped(text)}</text>\n");
    }

    /// <summary>The least of 1, 2 and 5 times a power of ten that is not below a number.</summary>
    static double Step(double least)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(least)));
        foreach (var factor in (ReadOnlySpan<int>)[1, 2, 5])
            if (factor * power >= least) return factor * power;
        return 10 * power;
    }

    static string Short(double value) => value >= 1000
        ? (value / 1000).ToString("0.#", CultureInfo.InvariantCulture) + "k"
        : value.ToString("0.###", CultureInfo.InvariantCulture);

    static string Escaped(string text) => WebUtility.HtmlEncode(text);
}
