using System.Text;

namespace Serving.Grammar.Expressions;

/// <summary>Any text up to the first place where an end stands, and the end itself.</summary>
static class UntilText
{
    /// <summary>Any text.</summary>
    public static Expr Any { get; } = Expr.Times(CharSet.All.ToUtf8(), 0, null);

    /// <summary>
    /// One rule for each length of the end that the text ends with (Knuth, Morris and Pratt); every step calls the next rule last, so the
    /// stack does not grow.
    /// </summary>
    public static Expr Of(string end)
    {
        int[] wanted = [.. end.EnumerateRunes().Select(rune => rune.Value)];
        var shorter = Shorter(wanted);
        var matched = Enumerable.Range(0, wanted.Length).Select(count => new Definition($"text until {end}, {count}")).ToArray();
        var known = CharSet.Of(end);
        for (var count = 0; count < wanted.Length; count++)
        {
            var next = from character in wanted.Distinct()
                       let reached = Step(wanted, shorter, count, character)
                       select Expr.Of(Expr.Text(((Rune)character).ToString()), reached == wanted.Length ? Expr.Empty : matched[reached].Called());
            matched[count].Body = Expr.OneOf([.. next, Expr.Of(known.Inverse().ToUtf8(), matched[0].Called())]);
        }
        return matched[0].Called();
    }

    static int Step(int[] wanted, int[] shorter, int count, int character)
    {
        while (count > 0 && wanted[count] != character)
            count = shorter[count - 1];
        return wanted[count] == character ? count + 1 : 0;
    }

    static int[] Shorter(int[] wanted)
    {
        var shorter = new int[wanted.Length];
        for (var i = 1; i < wanted.Length; i++)
            shorter[i] = Step(wanted, shorter, shorter[i - 1], wanted[i]);
        return shorter;
    }
}
