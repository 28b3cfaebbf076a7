using System.Globalization;
using System.Text;

namespace Serving.Text.Templates.Library;

/// <summary>Dates as C's strftime writes them in its own locale, with the flag <c>-</c> for numbers without padding.</summary>
static class Strftime
{
    public static string Format(DateTimeOffset time, string format)
    {
        var text = new StringBuilder();
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            var flag = format[++i] is '-' or '_' or '0' && i + 1 < format.Length ? format[i++] : ' ';
            text.Append(Field(time, format[i], flag));
        }
        return text.ToString();
    }

    static string Field(DateTimeOffset time, char field, char flag) => field switch
    {
        'a' => time.ToString("ddd", CultureInfo.InvariantCulture),
        'A' => time.ToString("dddd", CultureInfo.InvariantCulture),
        'b' or 'h' => time.ToString("MMM", CultureInfo.InvariantCulture),
        'B' => time.ToString("MMMM", CultureInfo.InvariantCulture),
        'c' => Format(time, "%a %b %e %H:%M:%S %Y"),
        'C' => Padded(time.Year / 100, 2, flag),
        'd' => Padded(time.Day, 2, flag),
        'D' or 'x' => Format(time, "%m/%d/%y"),
        'e' => Padded(time.Day, 2, flag == ' ' ? '_' : flag),
        'f' => Padded(time.Ticks % TimeSpan.TicksPerSecond / 10, 6, flag),
        'F' => Format(time, "%Y-%m-%d"),
        'H' => Padded(time.Hour, 2, flag),
        'I' => Padded((time.Hour + 11) % 12 + 1, 2, flag),
        'j' => Padded(time.DayOfYear, 3, flag),
        'm' => Padded(time.Month, 2, flag),
        'M' => Padded(time.Minute, 2, flag),
        'n' => "\n",
        'p' => time.Hour < 12 ? "AM" : "PM",
        'R' => Format(time, "%H:%M"),
        's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        'S' => Padded(time.Second, 2, flag),
        't' => "\t",
        'T' or 'X' => Format(time, "%H:%M:%S"),
        'u' => Padded(((int)time.DayOfWeek + 6) % 7 + 1, 1, flag),
        'U' => Padded((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7, 2, flag),
        'w' => Padded((int)time.DayOfWeek, 1, flag),
        'W' => Padded((time.DayOfYear + 6 - ((int)time.DayOfWeek + 6) % 7) / 7, 2, flag),
        'G' => Padded(ISOWeek.GetYear(time.DateTime), 4, flag),
        'V' => Padded(ISOWeek.GetWeekOfYear(time.DateTime), 2, flag),
        'y' => Padded(time.Year % 100, 2, flag),
        'Y' => Padded(time.Year, 4, flag),
        'z' or 'Z' => "",
        '%' => "%",
        _ => throw TemplateException.Runtime($"strftime_now knows no field %{field}"),
    };

    static string Padded(long number, int width, char flag)
    {
        var digits = number.ToString(CultureInfo.InvariantCulture);
        return flag == '-' ? digits : digits.PadLeft(width, flag == '_' ? ' ' : '0');
    }
}
