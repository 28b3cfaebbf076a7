using System.Text;
using Serving.Conformance.Rows;

namespace Serving.Conformance;

/// <summary>The contract of the HTTP surface, row by row; docs/conformance.md lists it, and <c>tests/run --docs</c> writes that page.</summary>
public sealed class ContractTests(Servers servers) : IClassFixture<Servers>
{
    static readonly Row[] All =
    [
        .. EnvelopeRows.All, .. ChatRequestRows.All, .. ChatReplyRows.All, .. StreamRows.All, .. CompletionRows.All, .. RouteRows.All,
    ];

    /// <summary>Every row by its section and words.</summary>
    public static TheoryData<string> Names => [.. All.Select(NameOf)];

    [Theory, MemberData(nameof(Names))]
    public async Task The_contract_is_kept(string row)
    {
        var found = All.Single(r => NameOf(r) == row);
        await found.CheckAsync(await servers.OfAsync(found.Setup));
    }

    [Fact]
    public void The_page_lists_the_rows()
    {
        var path = Path.Combine(Repository(), "docs", "conformance.md");
        var page = Page();
        if (Environment.GetEnvironmentVariable("SERVING_WRITE_DOCS") == "true") File.WriteAllText(path, page);
        Assert.True(File.Exists(path) && File.ReadAllText(path) == page, "docs/conformance.md does not list the rows as they are; tests/run --docs writes it.");
    }

    static string NameOf(Row row) => $"{row.Section}: {row.Says}";

    static string Page()
    {
        var page = new StringBuilder("""
            # The contract over HTTP

            Written by `tests/run --docs` from `tests/conformance`, which asks a running server for every row: status, headers, envelope, type, param
            and code. `SERVING_CONFORMANCE_URL=http://host:port artifacts/bin/Conformance.Tests/release/Conformance.Tests` points it at any server;
            rows that need a server started in a way of their own are then skipped.

            """);
        foreach (var section in All.GroupBy(row => row.Section))
        {
            page.Append($"\n## {section.Key}\n\n| row | answer |\n|---|---|\n");
            foreach (var row in section)
                page.Append($"| {Cell(row.Says)} | {Cell(row.Answer)} |\n");
        }
        return page.Append($"\n{All.Length} rows.\n").ToString();
    }

    static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    static string Repository()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Serving.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException($"No Serving.sln above {AppContext.BaseDirectory}.");
    }
}
