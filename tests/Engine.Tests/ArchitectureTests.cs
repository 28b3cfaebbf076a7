using System.Text.RegularExpressions;
using Serving.Devices;

namespace Serving.Tests;

/// <summary>The rules of the tree: who may look at whom, what is said where, and how long anything may be.</summary>
public sealed partial class ArchitectureTests
{
    const int FileLines = 400;
    const int FunctionLines = 50;
    const int KernelLines = 80;
    const int FolderFiles = 15;

    // Folders that hold one declaration a file may be as full as the field is.
    static readonly string[] Declarations = ["Families", "Types", "Gguf"];

    static readonly Dictionary<string, string[]> Rooms = new()
    {
        ["Text"] = [],
        ["Sampling"] = [],
        ["Grammar"] = ["Text", "Sampling"],
        ["Devices"] = [],
        ["Diagnostics"] = [],
        ["Attention"] = ["Devices", "Cache"],
        ["Cache"] = ["Attention", "Devices"],
        ["Model"] = ["Attention", "Devices", "Cache", "Text"],
        ["Scheduling"] = ["Cache", "Sampling"],
        ["Convert"] = ["Model", "Attention", "Devices"],
    };

    static readonly string[] HiddenFromServer = ["Cache", "Devices", "Attention"];

    static readonly SourceFile[] Source = [.. Repository.Sources("src")];

    static readonly SourceFile[] Tests = [.. Repository.Sources("tests")];

    [Fact]
    public void Every_folder_of_the_engine_is_a_room() => None(
        from source in Source
        where source.Path.StartsWith("src/Engine/", StringComparison.Ordinal)
        let room = RoomOf(source)
        let name = NamespaceName().Match(source.Code).Groups["name"].Value
        where room == "" ? name != "Serving" : !Rooms.ContainsKey(room) || !$"{name}.".StartsWith($"Serving.{room}.", StringComparison.Ordinal)
        select $"{source.Path}: namespace '{name}' in room '{room}'. The rooms are {string.Join(", ", Rooms.Keys)}.");

    [Fact]
    public void A_room_looks_only_where_the_table_allows() => None(
        from source in Source
        let room = RoomOf(source)
        where Rooms.ContainsKey(room)
        from seen in SeenBy(source)
        where seen.Room != room && !Rooms[room].Contains(seen.Room) && !(IsFamily(source) && seen.Room == "Model")
        select $"{source.Path}({source.LineOf(seen.Index)}): {room} looks at {seen.Room}; it may see {Or(Rooms[room], "nothing")}.");

    // The layout only says how wide a cached value is; the memory behind it is LatentCache's, StateMemory's and SwapMemory's.
    [Fact]
    public void Of_the_cache_only_its_layout_and_its_memory_see_devices() => None(
        from source in Source
        where RoomOf(source) == "Cache" && Path.GetFileName(source.Path) is not ("LatentCache.cs" or "StateMemory.cs" or "SwapMemory.cs" or "CacheLayout.cs")
        from seen in SeenBy(source)
        where seen.Room == "Devices"
        select $"{source.Path}({source.LineOf(seen.Index)}): of Cache only CacheLayout.cs, LatentCache.cs and StateMemory.cs see Devices.");

    [Fact]
    public void The_server_sees_the_facade_and_not_what_is_behind_it() => None(
        from source in Source
        where source.Path.StartsWith("src/Server/", StringComparison.Ordinal) && !source.Path.StartsWith("src/Server/Commands/", StringComparison.Ordinal)
        from seen in SeenBy(source)
        where HiddenFromServer.Contains(seen.Room)
        select $"{source.Path}({source.LineOf(seen.Index)}): the server looks at {seen.Room}, which the engine's facade hides.");

    [Fact]
    public void No_project_opens_a_room_to_all_its_files() => None(
        from file in Repository.Files("src")
        where file.EndsWith(".csproj", StringComparison.Ordinal) || file.EndsWith(".cs", StringComparison.Ordinal)
        where GlobalUsing().IsMatch(File.ReadAllText(Path.Combine(Repository.Root, file)))
        select $"{file}: a global using of a room hides who looks at it.");

    [Fact]
    public void A_scheme_is_named_only_where_it_is_declared()
    {
        var names = Repository.Files("src/Engine/Attention/Families")
            .Select(file => Path.GetFileNameWithoutExtension(file))
            .Where(name => Repository.Words(name).Count() == 1)
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        Assert.NotEmpty(names);
        None(
            from source in Source
            where !IsFamily(source) && RoomOf(source) != "Convert"
            from word in Repository.Words(source.Code)
            where names.Contains(word.Value)
            select $"{source.Path}({source.LineOf(word.Index)}): '{word.Value}' is a scheme's name; describe it by fields of the plan.");
    }

    [Fact]
    public void Unsafe_code_stays_with_devices_and_mapped_files() => None(
        from source in Source
        where RoomOf(source) is not ("Devices" or "Model")
        from Match match in UnsafeWord().Matches(source.Bare)
        select $"{source.Path}({source.LineOf(match.Index)}): unsafe code outside Devices and the mapped files of Model.");

    [Fact]
    public void No_file_is_over_its_budget() => None(
        from source in Source.Concat(Tests)
        where source.Lines > FileLines
        select $"{source.Path}: {source.Lines} lines; {FileLines} are the most.");

    [Fact]
    public void No_function_is_over_its_budget() => None(
        from source in Source.Concat(Tests)
        let most = source.Path.StartsWith("src/Engine/Devices/", StringComparison.Ordinal) ? KernelLines : FunctionLines
        from function in source.Functions()
        where function.Lines > most
        select $"{source.Path}({function.Line}): {function.Name} has {function.Lines} lines; {most} are the most.");

    [Fact]
    public void No_folder_is_too_full_to_be_read_at_a_glance() => None(
        from folder in Source.GroupBy(source => Path.GetDirectoryName(source.Path)!)
        where !Declarations.Contains(Path.GetFileName(folder.Key)) && folder.Count() >= FolderFiles
        select $"{folder.Key}: {folder.Count()} files; fewer than {FolderFiles} can be taken in.");

    [Fact]
    public void Files_are_named_for_what_they_hold() => None(
        from file in Repository.Files("src").Concat(Repository.Files("tests"))
        let name = Path.GetFileName(file)
        where VagueName().IsMatch(name) && name != "common.cuh" && !file.Contains("/fixtures/", StringComparison.Ordinal)
        select $"{file}: its name says nothing of what it holds.");

    [Fact]
    public void Nothing_is_left_unfinished() => None(
        from source in Source.Concat(Tests)
        from Match match in UnfinishedMark().Matches(source.Text)
        where !source.Path.EndsWith("/ArchitectureTests.cs", StringComparison.Ordinal)
        select $"{source.Path}({source.LineOf(match.Index)}): '{match.Value}' is a promise; keep it or drop it.");

    [Fact]
    public void The_readme_lists_the_rooms_there_are()
    {
        var readme = Path.Combine(Repository.Root, "README.md");
        if (!File.Exists(readme)) return;
        var lines = File.ReadAllLines(readme);
        var listed = lines
            .SkipWhile(line => !RoomsHeader().IsMatch(line)).TakeWhile(line => line.StartsWith('|'))
            .Select(line => RoomCell().Match(line).Groups["name"].Value).Where(name => name != "").ToArray();
        var folders = Source.Select(RoomOf).Where(room => room != "").Distinct();
        None([
            .. folders.Except(listed).Select(room => $"README.md: the table of rooms lacks `{room}`."),
            .. listed.Where(room => !Directory.Exists(Path.Combine(Repository.Root, "src", "Engine", room)) && !Directory.Exists(Path.Combine(Repository.Root, "src", room)))
                .Select(room => $"README.md: the table of rooms lists `{room}`, which is no folder."),
        ]);
    }

    static string RoomOf(SourceFile source) =>
        source.Path.Split('/') is ["src", "Engine", var room, _, ..] ? room : "";

    // A family turns a model's configuration into a plan: it is the one part of Attention that reads Model.
    static bool IsFamily(SourceFile source) => source.Path.StartsWith("src/Engine/Attention/Families/", StringComparison.Ordinal);

    // A room is seen by its namespace, by a type named through its room, or, for the root above all rooms, by a type's bare name.
    static IEnumerable<(string Room, int Index)> SeenBy(SourceFile source)
    {
        foreach (Match match in Qualified().Matches(source.Code))
            if (Rooms.ContainsKey(match.Groups["room"].Value)) yield return (match.Groups["room"].Value, match.Index);
        foreach (Match match in Relative().Matches(source.Code))
            if (TypesOf.TryGetValue(match.Groups["room"].Value, out var types) && types.Contains(match.Groups["type"].Value))
                yield return (match.Groups["room"].Value, match.Index);
        if (RoomOf(source) == "") yield break;
        foreach (Match match in Identifier().Matches(source.Bare))
            if (TypesOf.TryGetValue("", out var root) && root.Contains(match.Value)) yield return ("the root", match.Index);
    }

    static readonly Dictionary<string, HashSet<string>> TypesOf = typeof(IDevice).Assembly.GetTypes()
        .Where(type => type is { IsNested: false, Namespace: not null } && $"{type.Namespace}.".StartsWith("Serving.", StringComparison.Ordinal))
        .Where(type => !type.Name.Contains('<'))
        .GroupBy(type => type.Namespace!.Split('.') is [_, var room, ..] ? room : "")
        .ToDictionary(room => room.Key, room => room.Where(type => type.IsPublic || room.Key != "").Select(type => type.Name.Split('`')[0]).ToHashSet());

    static string Or(string[] rooms, string none) => rooms.Length == 0 ? none : string.Join(", ", rooms);

    static void None(IEnumerable<string> offences) => Assert.True(!offences.Any(), string.Join('\n', offences.Distinct()));

    [GeneratedRegex(@"^\s*namespace\s+(?<name>[\w.]+)", RegexOptions.Multiline)]
    private static partial Regex NamespaceName();

    [GeneratedRegex(@"\bServing\.(?<room>\w+)")]
    private static partial Regex Qualified();

    [GeneratedRegex(@"(?<![\w.])(?<room>[A-Z]\w+)\.(?<type>[A-Z]\w*)")]
    private static partial Regex Relative();

    [GeneratedRegex(@"(?<![\w.])[A-Z]\w+")]
    private static partial Regex Identifier();

    [GeneratedRegex(@"global using\s+(static\s+)?Serving\.|<Using Include=""Serving\.")]
    private static partial Regex GlobalUsing();

    [GeneratedRegex(@"\bunsafe\b")]
    private static partial Regex UnsafeWord();

    [GeneratedRegex("Helper|Util|Manager|Common")]
    private static partial Regex VagueName();

    [GeneratedRegex(@"\b(TODO|FIXME|HACK|XXX)\b|NotImplementedException")]
    private static partial Regex UnfinishedMark();

    [GeneratedRegex(@"^\|\s*rooms?\s*\|", RegexOptions.IgnoreCase)]
    private static partial Regex RoomsHeader();

    [GeneratedRegex(@"^\|\s*\[?`(src/Engine/)?(?<name>\w+)/?`")]
    private static partial Regex RoomCell();
}
