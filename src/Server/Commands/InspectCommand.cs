using System.Collections.Immutable;
using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Model;
using Serving.Text;

namespace Serving.Server.Commands;

/// <summary>inspect: what a model is and what it takes, or why it is not served; its weights are not loaded.</summary>
static class InspectCommand
{
    public static Command Create()
    {
        var model = new Argument<string?>("model") { Description = "Checkpoint folder or file.", Arity = ArgumentArity.ZeroOrOne };
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var command = new Command("inspect", "Says what a model is and takes, or why it is not served.") { model, json };
        command.SetAction(parsed =>
        {
            var path = parsed.GetValue(model) ?? ModelLoading.DefaultModel() ?? throw new SettingException("Name a model.");
            var report = Report(path);
            Console.Write(parsed.GetValue(json) ? JsonSerializer.Serialize(report, InspectJson.Default.InspectReport) + "\n" : InText(report));
            return report.Served ? 0 : 1;
        });
        return command;
    }

    /// <summary>What is known of the checkpoint at a path.</summary>
    public static InspectReport Report(string path)
    {
        try
        {
            using var checkpoint = Checkpoint.Open(path);
            return new(path, true) { Model = ModelSummary.Of(checkpoint), Text = TextOf(checkpoint) };
        }
        catch (CheckpointException error)
        {
            return new(path, false) { Reason = error.Message };
        }
    }

    /// <summary>A report for people.</summary>
    public static string InText(InspectReport report)
    {
        if (report is not { Model: { } model, Text: { } text })
            return $"{report.Path} is not served: {report.Reason}\n";
        var lines = new StringBuilder();
        Line("model", $"{model.Name} ({model.ModelType}{(model.GgufArchitecture is { } gguf ? $", GGUF architecture {gguf}" : "")})");
        Line("size", $"{model.Parameters:N0} parameters in {model.Bytes:N0} bytes; {model.Layers} layers of width {model.HiddenSize}");
        Line("context", $"{model.ContextLength:N0} tokens");
        foreach (var kind in model.Attention) Line("attention", $"{kind.Scheme}, {kind.Rows}: {Shape(kind)}; {Named(kind.Layers)}");
        foreach (var kind in model.FeedForward) Line("network", $"{Network(kind)}; {Named(kind.Layers)}");
        foreach (var type in model.Stored) Line("weights", $"{type.Type}: {type.Tensors} tensors, {type.Bytes:N0} bytes");
        foreach (var group in model.Cache)
            Line("cache", $"{group.Rows}: in {group.Attentions} caches a token leaves {group.Elements:#,0.##} values, "
                + $"{group.Float32Bytes:#,0.##} bytes as float32, {group.BFloat16Bytes:#,0.##} as bfloat16");
        Line("vocabulary", $"{model.VocabularySize:N0} tokens; tokenizer: {text.Tokenizer ?? "none, the model takes and gives token ids alone"}");
        Line("stop ids", text.StopIds.IsEmpty ? "none" : string.Join(", ", text.StopIds));
        Line("chat", text.ChatTemplate is { } chat ? Template(chat) : "no template");
        return lines.ToString();

        void Line(string what, string value) => lines.Append($"{what,-11}{value}\n");
    }

    static InspectText TextOf(Checkpoint checkpoint)
    {
        var (source, tokenizer) = (checkpoint.Text, CheckpointTokenizer.Load(checkpoint));
        var template = ModelLoading.TemplateOf(checkpoint, null)?.Capabilities;
        return new()
        {
            Tokenizer = tokenizer is null ? null : Kind(source),
            TokenizerSize = tokenizer?.VocabularySize,
            StopIds = ModelLoading.StopIds(source, tokenizer),
            ChatTemplate = template is null ? null : new(template.SystemRole, template.Tools, template.ToolCalls, $"{template.Content}"),
        };
    }

    static string Kind(TextSources source) => source switch
    {
        { TokenizerJson: not null } => "tokenizer.json",
        { Vocabulary: { } gguf } => $"GGUF {gguf.Text("tokenizer.ggml.model")}, pre-tokenizer {gguf.Text("tokenizer.ggml.pre") ?? "unnamed"}",
        _ => "tokenizer.model",
    };

    static string Shape(AttentionSummary kind) =>
        $"{kind.Heads} heads in {kind.Groups} {(kind.Groups == 1 ? "group" : "groups")}, cached row {kind.MainWidth}"
        + (kind.RotaryWidth > 0 ? $", rotary part {kind.RotaryWidth}" : "")
        + (kind.ValueInMain ? ", values in the row" : $", value {kind.ValueWidth}");

    static string Network(FeedForwardSummary kind)
    {
        var inner = $"{(kind.Gated ? "gated " : "")}{kind.Activation}, width {kind.Width}";
        return kind.Experts == 0
            ? $"dense, {inner}"
            : $"{kind.Chosen} of {kind.Experts} experts, {inner}" + (kind.SharedWidth > 0 ? $", shared width {kind.SharedWidth}" : "");
    }

    static string Template(InspectTemplate chat) =>
        $"template; {Can("system messages", chat.SystemRole)}, {Can("tools", chat.Tools)}, {Can("tool calls", chat.ToolCalls)}, "
        + $"content {chat.Content switch { "Both" => "as text or parts", "Parts" => "as parts", _ => "as text" }}";

    static string Can(string what, bool can) => can ? what : $"no {what}";

    static string Named(ImmutableArray<int> layers) => $"{(layers.Length == 1 ? "layer" : "layers")} {LayerRanges.Of(layers)}";
}

/// <summary>What inspect found.</summary>
/// <param name="Path">The model as it was named.</param>
/// <param name="Served">Whether it can be served.</param>
sealed record InspectReport(string Path, bool Served)
{
    public string? Reason { get; init; }

    public ModelSummary? Model { get; init; }

    public InspectText? Text { get; init; }
}

/// <summary>The text side of a model.</summary>
sealed record InspectText
{
    public string? Tokenizer { get; init; }

    public int? TokenizerSize { get; init; }

    public ImmutableArray<int> StopIds { get; init; } = [];

    public InspectTemplate? ChatTemplate { get; init; }
}

/// <summary>What a chat template prints.</summary>
sealed record InspectTemplate(bool SystemRole, bool Tools, bool ToolCalls, string Content);

/// <summary>Serialisation of inspect's report.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
[JsonSerializable(typeof(InspectReport))]
sealed partial class InspectJson : JsonSerializerContext;
