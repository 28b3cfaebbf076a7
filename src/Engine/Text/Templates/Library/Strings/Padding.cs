using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>Filling strings up to a width.</summary>
static class Padding
{
    public static Str Left(Call call) => Pad(call, missing => (0, missing));

    public static Str Right(Call call) => Pad(call, missing => (missing, 0));

    /// <summary>Python's centre: where the padding is odd, it leans left for odd widths and right for even ones.</summary>
    public static Str Center(Call call, int width = 0)
    {
        var wanted = call.Number(1, width);
        return Pad(call, missing => Halves(missing, wanted), wanted);
    }

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

    static (int, int) Halves(int missing, int width)
    {
        var left = missing / 2 + (missing & width & 1);
        return (left, missing - left);
    }

    static Str Pad(Call call, Func<int, (int Left, int Right)> shares, int? width = null)
    {
        var text = call.Printed(0);
        var missing = (width ?? call.Number(1)) - text.Length!.Value;
        if (missing <= 0) return text;
        call.Rendering.Charge(missing);
        var (left, right) = shares(missing);
        var fill = call.Text(2, " ").Text is [var c] ? c : throw TemplateException.Runtime("the fill character must be exactly one character long");
        return new TextBuilder(call.Rendering).Append(new string(fill, left)).Append(text).Append(new string(fill, right)).ToStr();
    }
}
