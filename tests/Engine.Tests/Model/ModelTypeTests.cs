using System.Text.Json;
using System.Text.Json.Nodes;
using Serving.Model;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>What model types do with configurations that are not those of their tensors.</summary>
public sealed class ModelTypeTests
{
    public static TheoryData<string, string> Configurations()
    {
        var data = new TheoryData<string, string>();
        foreach (var folder in Directory.GetDirectories(Fixtures.Path("hf")).Order(StringComparer.Ordinal))
            foreach (var config in (string[])["config.json", "config.old.json"])
                if (File.Exists(Path.Combine(folder, config))) data.Add(Path.GetFileName(folder), config);
        return data;
    }

    [Theory, MemberData(nameof(Configurations))]
    public void A_key_with_any_other_value_makes_a_plan_or_is_refused(string fixture, string file)
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path($"hf/{fixture}"));
        var original = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Path($"hf/{fixture}"), file)))!;
        foreach (var path in Paths(original, []).Where(path => path.Length > 0))
            foreach (var value in (string[])["0", "-1", "1", "3", "2147483647", "-0.5", "1e30", "null", "\"x\"", "[]", "[0]", "{}", "true"])
            {
                var changed = original.DeepClone();
                var place = path[..^1].Aggregate(changed, (node, step) => step is int index ? node[index]! : node[(string)step]!);
                if (path[^1] is int last) place[last] = JsonNode.Parse(value);
                else place[(string)path[^1]] = JsonNode.Parse(value);
                var error = Record.Exception(() => Plan(checkpoint, changed));
                Assert.True(error is null or CheckpointException, $"{string.Join('.', path)} = {value}: {error}");
            }
    }

    [Theory, MemberData(nameof(Configurations))]
    public void A_key_that_no_type_knows_is_refused(string fixture, string file)
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path($"hf/{fixture}"));
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Path($"hf/{fixture}"), file)))!;
        config["surprising_factor"] = 2;
        Assert.Contains("surprising_factor", Assert.Throws<CheckpointException>(() => Plan(checkpoint, config)).Message);
    }

    static ModelPlan Plan(Checkpoint checkpoint, JsonNode config) =>
        ModelTypes.Plan(new(new(JsonSerializer.SerializeToElement(config), "config.json"), checkpoint.OpenLedger()));

    static IEnumerable<object[]> Paths(JsonNode? node, object[] path) => node switch
    {
        JsonObject inner => inner.Where(member => member.Key is not "vision_config").SelectMany(member => Paths(member.Value, [.. path, member.Key])).Prepend(path),
        JsonArray list => list.Take(2).SelectMany((item, index) => Paths(item, [.. path, index])).Prepend(path),
        _ => [path],
    };
}
