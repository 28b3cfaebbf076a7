using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Devices;
using Serving.Model;

namespace Serving.Server.Commands;

/// <summary>plan: what a model's cache takes, and would take in other types and with other schemes; no weight is read.</summary>
static class PlanCommand
{
    /// <summary>Memory of the cache where nobody says: that in which tokens are counted.</summary>
    const long DefaultBytes = 1L << 30;

    static readonly Setting[] Used = [Settings.KvCacheDtype, Settings.KvCacheMemoryBytes, Settings.BlockSize];

    public static Command Create()
    {
        var model = new Argument<string?>("model") { Description = "Checkpoint folder or file.", Arity = ArgumentArity.ZeroOrOne };
        var context = new Option<int?>("--context") { Description = "Tokens of every sequence; the model's own limit when left out." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var plot = new Option<string?>("--plot") { Description = "Also draw the figures as an SVG picture.", HelpName = "file.svg" };
        var command = new Command("plan", "Says what a model's cache takes, and would take in other types and with other schemes.") { model, context, json, plot };
        SettingOptions.AddTo(command, Used);
        command.SetAction(parsed =>
        {
            var read = new SettingReader(SettingOptions.Values(parsed), Environment.GetEnvironmentVariable);
            var path = parsed.GetValue(model) ?? ModelLoading.DefaultModel() ?? throw new SettingException("Name a model.");
            using var checkpoint = Checkpoint.Open(path);
            var engine = ServeCommand.EngineFrom(read);
            var plan = CachePlan.Of(checkpoint, new(
                engine.CacheBytes ?? DefaultBytes, ModelLoading.CacheTypeOf(engine.CacheDtype), parsed.GetValue(context), engine.BlockSize));
            if (parsed.GetValue(plot) is { } file) File.WriteAllText(file, PlanPicture.Of(plan));
            Console.Write(parsed.GetValue(json) ? JsonSerializer.Serialize(plan, PlanJson.Default.CachePlan) + "\n" : PlanText.Of(plan));
            return 0;
        });
        return command;
    }
}

/// <summary>Serialisation of a plan.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, UseStringEnumConverter = true)]
[JsonSerializable(typeof(CachePlan))]
sealed partial class PlanJson : JsonSerializerContext;
