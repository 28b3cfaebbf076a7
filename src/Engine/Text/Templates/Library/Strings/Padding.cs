using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>Filling strings up to a width.</summary>
static class Padding
{
    public static Str Left(Call call) => Pad(call, call.Number(1), Fill(call), missing => 0);

    public static Str Right(Call call) => Pad(call, call.Number(1), Fill(call), missing => missing);

    /// <summary>The method: a fill character may be given.</summary>
    public static Str Center(Call call) => Center(call, call.Number(1), Fill(call));

    /// <summary>The filter: 80 wide and filled with spaces where nothing else is said.</summary>
    public static Str CenterFilter(Call call) => Center(call, call.Number(1, 80), ' ');

    public static Str Zeros(Call call)
    {
        var text = call.Text(0);
        var sign = text.Text.StartsWith('-') || text.Text.StartsWith('+') ? 1 : 0;
        var missing = Math.Max(0, call.Number(1) - text.Length!.Value);
        call.Rendering.Charge(missing);
        return new TextBuilder(call.Rendering).Append(text, 0, sign).Append(new string('0', missing))
            .Append(text, sign, text.Text.Length - sign).ToStr();
    }

    public static Str ExpandTabs(Call call)
    {
        var (text, size, column) = (call.Text(0), call.Number(1, 8), 0);
        var output = new TextBuilder(call.Rendering);
        for (var i = 0; i < text.Text.Length; i++)
        {
            if (text.Text[i] is '\n' or '\r') column = -1;
            if (text.Text[i] != '\t')
            {
                output.Append(text, i, 1);
                column++;
                continue;
            }
            var width = size <= 0 ? 0 : size - column % size;
            call.Rendering.Charge(width);
            output.Append(new string(' ', width));
            column += width;
        }
        return output.ToStr();
    }

    /// <summary>Where the padding is odd, it leans left for odd widths and right for even ones.</summary>
    static Str Center(Call call, int width, char fill) => Pad(call, width, fill, missing => missing / 2 + (missing & width & 1));

    static char Fill(Call call) =>
        call.Text(2, " ").Text is [var fill] ? fill
            : throw TemplateException.Runtime("the fill character must be exactly one character long");

    static Str Pad(Call call, int width, char fill, Func<int, int> left)
    {
        var text = call.Printed(0);
        var missing = width - text.Length!.Value;
        if (missing <= 0) return text;
        call.Rendering.Charge(missing);
        var before = left(missing);
        return new TextBuilder(call.Rendering).Append(new string(fill, before)).Append(text).Append(new string(fill,
            missing - before)).ToStr();
    }
}
