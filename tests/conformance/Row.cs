using System.Collections;
using System.Net;

namespace Serving.Conformance;

/// <summary>One row of the contract: what it says, and how a server is asked whether it keeps it.</summary>
/// <param name="Section">The part of the contract.</param>
/// <param name="Says">The row in words.</param>
/// <param name="Answer">What must come back, for the page.</param>
/// <param name="CheckAsync">Asks the server; fails where the row is not kept.</param>
public sealed record Row(string Section, string Says, string Answer, Func<Target, Task> CheckAsync)
{
    /// <summary>How the server must be started for this row.</summary>
    public Setup Setup { get; init; } = Setup.Plain;
}

/// <summary>A part of the contract whose rows go to one route.</summary>
/// <param name="title">The part's name.</param>
/// <param name="path">Where its requests go unless a row says otherwise.</param>
public sealed class Section(string title, string path) : IEnumerable<Row>
{
    readonly List<Row> _rows = [];

    /// <summary>A body that is refused.</summary>
    public void Add(string says, string body, int status, string? param, string? code, Setup? setup = null) => Add(says, body, status, param, code, "", setup);

    /// <summary>A body that is refused with a message that has a text.</summary>
    public void Add(string says, string body, int status, string? param, string? code, string message, Setup? setup = null) =>
        Add(says, Refusal(status, param, code), async target =>
            (await target.PostAsync(path, body)).CheckRefused(status, param, code).CheckMessage(message), setup);

    /// <summary>A body that is answered with JSON.</summary>
    public void Add(string says, string body, Action<Reply> check, Setup? setup = null) =>
        Add(says, "200", async target => check((await target.PostAsync(path, body)).CheckStatus(200)), setup);

    /// <summary>A row with requests of its own.</summary>
    public void Add(string says, string answer, Func<Target, Task> check, Setup? setup = null) =>
        _rows.Add(new(title, says, answer, check) { Setup = setup ?? Setup.Plain });

    /// <inheritdoc/>
    public IEnumerator<Row> GetEnumerator() => _rows.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    static string Refusal(int status, string? param, string? code) =>
        $"{status}" + (code is null ? "" : $" `{code}`") + (param is null ? "" : $" at `{param}`");
}
