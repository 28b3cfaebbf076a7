using System.Text.RegularExpressions;

namespace Serving.Server.OpenAi;

/// <summary>How a family of models spells tool calls, as patterns with holes; where a pattern has white space, models may write any or none.</summary>
sealed record ToolFormat(string Name)
{
    /// <summary>What a chat template of the family spells, all of it.</summary>
    public required string[] Marks { get; init; }

    /// <summary>Before the first call.</summary>
    public string Opens { get; init; } = "";

    /// <summary>
    /// One call. <c>{name}</c>; <c>{arguments}</c>, a JSON object; <c>{call}</c>, a JSON object with both; <c>{number}</c>; <c>{id}</c>, an id after [CALL_ID] or nothing;
    /// <c>{pairs}</c>, arguments one by one.
    /// </summary>
    public required string Call { get; init; }

    /// <summary>Between two calls.</summary>
    public string Between { get; init; } = "";

    /// <summary>After the last call.</summary>
    public string Closes { get; init; } = "";

    /// <summary>The member of a call's object that holds the arguments.</summary>
    public string ArgumentsKey { get; init; } = "arguments";

    /// <summary>One of the pairs: <c>{key}</c> and <c>{value}</c>, text as it is where the argument is a string, JSON otherwise.</summary>
    public string Pair { get; init; } = "";

    /// <summary>The id of a call.</summary>
    public Func<string, int, string> Id { get; init; } = (_, _) => "call_" + Random.Shared.GetHexString(24, lowercase: true);

    /// <summary>What says that calls begin, up to the end of its first tag; empty where an answer that begins with a call's object is one.</summary>
    public string Trigger
    {
        get
        {
            var begins = Opens.Length > 0 ? Opens : ToolPattern.Parse(Call)[0].Literal ?? "";
            return begins[..(begins.IndexOfAny(['>', ']']) + 1)];
        }
    }

    /// <summary>Whether templates with this source are of the family.</summary>
    public bool Describes(string template) => Array.TrueForAll(Marks, template.Contains);
}

/// <summary>A piece of a pattern: text, or a hole.</summary>
readonly record struct ToolPiece(string? Literal, string Hole);

/// <summary>Patterns as pieces.</summary>
static partial class ToolPattern
{
    public static List<ToolPiece> Parse(string pattern)
    {
        var pieces = new List<ToolPiece>();
        var at = 0;
        foreach (Match hole in Hole().Matches(pattern))
        {
            if (hole.Index > at)
                pieces.Add(new(pattern[at..hole.Index], ""));
            pieces.Add(new(null, hole.Groups[1].Value));
            at = hole.Index + hole.Length;
        }
        if (at < pattern.Length)
            pieces.Add(new(pattern[at..], ""));
        return pieces;
    }

    [GeneratedRegex(@"\{(name|arguments|call|number|id|pairs|key|value)\}")]
    private static partial Regex Hole();
}
