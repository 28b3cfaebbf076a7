using System.Text.Json.Nodes;
using Serving.Model;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>Every key of every scheme's configuration at values that nobody means: a plan, or an error for people, and no memory taken for it.</summary>
public sealed class HostileSchemeTests
{
    const long MostAllocated = 64 << 20;

    static readonly string[] Values = ["0", "-1", "7", "1000000", "2147483647", "1e300", "\"x\"", "-"];

    public static TheoryData<string> Schemes() =>
        [.. Directory.GetDirectories(Fixtures.Path("schemes")).Order(StringComparer.Ordinal).Select(folder => $"schemes/{Path.GetFileName(folder)}"), "hf/kimi_linear", "hf/zaya"];

    [Theory, MemberData(nameof(Schemes))]
    public void Every_key_at_every_hostile_value_is_served_or_refused(string fixture)
    {
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(Fixtures.Path(fixture)).Where(file => !file.Contains("golden"))) File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        foreach (var name in ((string[])["config.json", "mla_layer_config.json"]).Where(name => File.Exists(Path.Combine(folder.Path, name))))
        {
            var text = File.ReadAllText(Path.Combine(folder.Path, name));
            foreach (var path in Paths(JsonNode.Parse(text)!.AsObject(), []))
                foreach (var value in Values) Try(path, value, text, name);
            folder.Write(name, text);
        }

        void Try(string[] path, string value, string text, string name)
        {
            var config = JsonNode.Parse(text)!;
            var place = path[..^1].Aggregate(config, (node, step) => node[step]!).AsObject();
            if (value == "-") place.Remove(path[^1]);
            else place[path[^1]] = JsonNode.Parse(value);
            folder.Write(name, config.ToJsonString());
            var before = GC.GetAllocatedBytesForCurrentThread();
            var error = Record.Exception(() =>
            {
                using var checkpoint = Checkpoint.OpenFolder(folder.Path);
                ModelTypes.Plan(new(checkpoint.Config, checkpoint.OpenLedger()));
            });
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(error is null or CheckpointException, $"{string.Join('.', path)} = {value}: {error}");
            Assert.True(allocated < MostAllocated, $"{string.Join('.', path)} = {value}: {allocated:N0} bytes were allocated.");
        }
    }

    // Nobody reads these.
    static readonly string[] Unread = ["architectures", "torch_dtype", "transformers_version", "bos_token_id", "eos_token_id"];

    static IEnumerable<string[]> Paths(JsonObject node, string[] above) => node.Where(property => !Unread.Contains(property.Key)).SelectMany(property => (IEnumerable<string[]>)
        [[.. above, property.Key], .. property.Value is JsonObject inner ? Paths(inner, [.. above, property.Key]) : []]);
}
