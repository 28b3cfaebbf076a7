using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Embedding-gated latent attention (Cai and Hou, arXiv 2509.16686): a row of an embedding of the token's id gates the latent, which is
/// cached gated, or the keys and values that are made of it; those are rebuilt from latents and ids, since a norm follows.
/// </summary>
public sealed class EgMla : IAttentionFamily
{
    const float GateEpsilon = 1e-5f;

    /// <inheritdoc/>
    public string Name => "EG-MLA";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["eg_mla"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("kv_a_proj_with_mqa.weight") && Gates(layer);

    /// <summary>Whether the layer has an embedding of ids.</summary>
    public static bool Gates(AttentionContext layer) => layer.Has("gate_embed.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.OfLatents("EG-MLA", "a latent of d and a rotary key of d, as the paper's 128 elements for heads of 64 (beside them the token's id, not counted here)", sizes.Width, 1, sizes.Width),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (config, plan) = (layer.Config, new Mla().Plan(layer));
        if (layer.Has("kv_a_layernorm.weight")) throw config.Wrong("model_type", "eg_mla", "a type whose latents are normed, since there is a tensor kv_a_layernorm.weight");
        var embedding = new Step.TokenEmbedding($"{layer.Prefix}gate_embed.weight", config.Int("vocab_size"), config.Int("gate_embed_dim"));
        var span = config.OneOf("gate_norm_span", "all", "per_head", "split", "none");
        return config.OneOf("gate_site", "after_up", "latent") == "latent"
            ? OnLatents(layer, plan, embedding, span)
            : plan with
            {
                Streams = [.. plan.Streams, CachedStream.Ids(layer.Layer)],
                Branch = plan.Branch with { Gate = OnKeysAndValues(layer, plan.Branch, embedding, span) },
            };
    }

    static AttentionPlan OnLatents(AttentionContext layer, AttentionPlan plan, Step.TokenEmbedding embedding, string span)
    {
        if (span is not ("all" or "none")) throw layer.Config.Wrong("gate_norm_span", $"\"{span}\"", "\"all\" or \"none\", since a latent has no heads");
        var latent = plan.Stream("latent");
        return plan with
        {
            Streams =
            [
                latent with
                {
                    From = Projection.Of(
                    [
                        .. latent.From.Steps, new Step.MultiplyBy(Projection.Of(embedding, layer.Linear("gate_proj", latent.Width, embedding.Width))),
                        span == "none" ? null : new Step.Normalize(NormKind.Layer, latent.Width, GateEpsilon, $"{layer.Prefix}gate_norm.weight")
                        {
                            Bias = $"{layer.Prefix}gate_norm.bias",
                        },
                    ]),
                },
                plan.Stream("rotary"),
            ],
        };
    }

    static IdGate OnKeysAndValues(AttentionContext layer, Branch branch, Step.TokenEmbedding embedding, string span)
    {
        var (key, value, name) = (branch.KeyMap!, branch.ValueMap!, $"{layer.Prefix}gate_proj.weight");
        MadeMatrix? Norm(string part) => span == "none" ? null
            : layer.Stored($"gate_norm.{part}", branch.Heads * (key.Rows + value.Rows)).Reshape(branch.Heads, key.Rows + value.Rows);
        return new("id", embedding, key with { Weight = name, Inputs = embedding.Width }, value with { Weight = name, Inputs = embedding.Width })
        {
            Span = span switch { "all" => GateSpan.All, "per_head" => GateSpan.Head, "split" => GateSpan.Part, _ => GateSpan.None },
            Epsilon = GateEpsilon,
            Weight = Norm("weight"),
            Bias = Norm("bias"),
        };
    }
}
