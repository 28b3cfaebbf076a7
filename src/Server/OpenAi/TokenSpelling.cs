using System.Collections.Immutable;
using System.Text;
using System.Text.Unicode;
using Serving.Sampling;
using Serving.Text;

namespace Serving.Server.OpenAi;

/// <summary>Spells tokens and their log-probabilities as the two protocols want them.</summary>
sealed class TokenSpelling(Tokenizer? tokenizer, bool asIds)
{
    /// <summary>JSON has no infinity; the protocol writes this for a token that the model rules out.</summary>
    const double Impossible = -9999;

    /// <summary>A token's text; of part of a character U+FFFD.</summary>
    public string Text(int id) => asIds || tokenizer is null ? $"token_id:{id}" : Encoding.UTF8.GetString(tokenizer.Bytes(id));

    public ChatLogprobs Chat(IEnumerable<TokenText> tokens) => new([.. tokens.Select(t => Chat(t.Token))]);

    /// <summary>Log-probabilities of text completions; <paramref name="start"/> is where the answer begins in the text of the reply.</summary>
    public TextLogprobs Plain(IReadOnlyCollection<TokenText> tokens, int start) => new(
        [.. tokens.Select(t => Exact(t.Token.Id))],
        [.. tokens.Select(t => (double?)Finite(t.Token.Logprob))],
        [.. tokens.Select(t => Top(t.Token))],
        [.. tokens.Select(t => t.Offset + start)]);

    /// <summary>vLLM's form of a prompt's log-probabilities: a map for each token, null for the first, which nothing predicts.</summary>
    /// <param name="tokens">All but the first.</param>
    /// <param name="places">How many alternatives were asked for; a token that is none of them has no known place.</param>
    public IReadOnlyList<Dictionary<string, PromptLogprob>?> Prompt(ImmutableArray<SampledToken> tokens, int places) =>
        [null, .. tokens.Select(token => Ranked(token, places))];

    /// <summary>Log-probabilities of the prompt's own tokens, with the offsets of their texts.</summary>
    public TextLogprobs Echo(ReadOnlySpan<int> prompt, ImmutableArray<SampledToken> sampled)
    {
        var stream = tokenizer is null ? null : new TextStream(tokenizer);
        var offsets = new int[prompt.Length];
        var names = new string[prompt.Length];
        for (int i = 0, offset = 0; i < prompt.Length; i++)
        {
            (names[i], offsets[i]) = (Exact(prompt[i]), offset);
            offset += stream?.Push(prompt[i]).Length ?? 0;
        }
        return new(names, [null, .. sampled.Select(t => (double?)Finite(t.Logprob))], [null, .. sampled.Select(t => Top(t))], offsets);
    }

    ChatTokenLogprob Chat(SampledToken token) => new(Text(token.Id), Finite(token.Logprob), Bytes(token.Id),
        [.. Alternatives(token).Select(a => new ChatAlternative(Text(a.Id), Finite(a.Logprob), Bytes(a.Id)))]);

    int[]? Bytes(int id) => tokenizer is null ? null : [.. tokenizer.Bytes(id).ToArray().Select(b => (int)b)];

    Dictionary<string, double> Top(SampledToken token)
    {
        var top = new Dictionary<string, double>();
        foreach (var (id, logprob) in Alternatives(token))
            top.TryAdd(Exact(id), Finite(logprob));
        top.TryAdd(Exact(token.Id), Finite(token.Logprob));
        return top;
    }

    Dictionary<string, PromptLogprob> Ranked(SampledToken token, int places)
    {
        var ranked = new Dictionary<string, PromptLogprob>();
        var alternatives = Alternatives(token);
        for (var i = 0; i < alternatives.Length; i++)
            ranked[alternatives[i].Id.ToString()] = new(Finite(alternatives[i].Logprob), i < places ? i + 1 : null, Text(alternatives[i].Id));
        ranked.TryAdd(token.Id.ToString(), new(Finite(token.Logprob), null, Text(token.Id)));
        return ranked;
    }

    /// <summary>A token's text, or its bytes where they are no text: text completions have no other place for them.</summary>
    string Exact(int id)
    {
        if (asIds || tokenizer is null)
            return Text(id);
        var bytes = tokenizer.Bytes(id);
        return Utf8.IsValid(bytes)
            ? Encoding.UTF8.GetString(bytes)
            : "bytes:" + string.Concat(bytes.ToArray().Select(b => b < 0x80 ? ((char)b).ToString() : $"\\x{b:x2}"));
    }

    static ImmutableArray<TokenLogprob> Alternatives(SampledToken token) => token.Alternatives.IsDefault ? [] : token.Alternatives;

    static double Finite(float? logprob) => Math.Max(logprob ?? 0, Impossible);
}
