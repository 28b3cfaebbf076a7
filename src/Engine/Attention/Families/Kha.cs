using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Knocking-heads attention (arXiv 2510.23052): matrices that all heads of a layer share act on every query, key and value head before
/// norm and rotation. On latent attention they act on the parts that do not turn, and fold into the maps of its heads.
/// </summary>
public sealed class Kha : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "KHA";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["kha", "kha_mla"];

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("KHA", $"as its base: a mixed key and value of d for each of {sizes.Groups} groups", ("key", sizes.Width, sizes.Groups), ("value", sizes.Width, sizes.Groups)),
    ];

    /// <summary>Whether a layer has a shared matrix.</summary>
    public static bool Mixes(AttentionContext layer) =>
        layer.Has("kha.q.weight") || layer.Has("kha.k.weight") || layer.Has("kha.v.weight") || layer.Has("kha.v_up.weight");

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => Mixes(layer);

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        if (layer.Has("kv_a_proj_with_mqa.weight")) return OnLatents(layer);
        var (plan, width) = (new Mha().Plan(layer), layer.HeadWidth);
        var mixed = layer.Config.Bool("kha_query_key", true);
        var value = layer.Config.OneOf("kha_value", "linear", "mlp", "none");
        if (layer.Config.BoolOrNull("use_qk_norm") is { } normed && normed != layer.Has("q_norm.weight"))
            throw layer.Config.Wrong("use_qk_norm", $"{normed}", $"{!normed}, as layer {layer.Layer} has {(normed ? "no " : "")}q_norm.weight");
        var (query, key, cached) = (mixed ? Mix("q") : null, mixed ? Mix("k") : null, plan.Stream("value"));
        return plan with
        {
            Streams = [plan.Stream("key") with { From = After(plan.Stream("key").From, key) }, cached with { From = After(cached.From, [.. Values()]) }],
            Branch = plan.Branch with { Query = After(plan.Branch.Query, query) },
        };

        Step Mix(string name) => layer.Linear($"kha.{name}", width, width);
        IEnumerable<Step> Values() => value switch
        {
            "linear" => [Mix("v")],
            "mlp" => [new Step.Gated((Step.Linear)Mix("v_gate"), (Step.Linear)Mix("v_up"), Activation.Sigmoid), Mix("v_down"), new Step.Multiply(2)],
            _ => [],
        };
    }

    /// <summary>A projection with steps after its first one.</summary>
    static Projection After(Projection projection, params ReadOnlySpan<Step?> steps) =>
        Projection.Of([projection.Steps[0], .. steps, .. projection.Steps[1..]]);

    static AttentionPlan OnLatents(AttentionContext layer)
    {
        layer.Config.OneOf("kha", "linear");
        var (plan, heads) = (new Mla().Plan(layer), layer.Heads);
        var (key, value) = (plan.Branch.KeyMap!, plan.Branch.ValueMap!);
        var up = layer.Stored("kv_b_proj.weight", heads * key.Stride, key.Inputs);
        var keys = layer.Stored("kha.q.weight", key.Rows, key.Rows).Transpose().Times(layer.Stored("kha.k.weight", key.Rows, key.Rows));
        var values = layer.Stored("kha.v.weight", value.Rows, value.Rows);
        return plan with
        {
            Branch = plan.Branch with { KeyMap = Folded(keys, key), ValueMap = Folded(values, value) },
        };

        HeadMap Folded(MadeMatrix shared, HeadMap map) => HeadMap.Of(
            Enumerable.Range(0, heads).Select(head => shared.Times(up.Take(head * map.Stride + map.Offset, map.Rows))));
    }
}
