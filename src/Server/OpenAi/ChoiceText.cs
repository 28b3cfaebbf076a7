using System.Collections.Immutable;
using System.Text;
using Serving.Sampling;
using Serving.Text;

namespace Serving.Server.OpenAi;

/// <summary>A token of an answer and where its text begins in it, in UTF-16 units.</summary>
readonly record struct TokenText(SampledToken Token, int Offset);

/// <summary>A piece of an answer that may be sent: text that no stop can take back, and the tokens it came from.</summary>
readonly record struct TextPiece(string Text, ImmutableArray<TokenText> Tokens);

/// <summary>One answer on its way from tokens to text: holds back parts of characters and what may become a stop string.</summary>
sealed class ChoiceText(GenerationFields fields, Tokenizer? tokenizer, ReadOnlySpan<int> prompt)
{
    readonly TextStream? _stream = tokenizer is null ? null : new(tokenizer, prompt, fields.SkipsSpecial);
    readonly StopScan _stops = new(fields.Stops, fields.IncludesStop);
    readonly Queue<TokenText> _held = [];
    int _decoded;
    int _sent;

    /// <summary>Tokens generated so far.</summary>
    public int Count { get; private set; }

    /// <summary>Whether a stop string was found: what follows does not belong to the answer.</summary>
    public bool IsStopped => _stops.Found;

    public TextPiece Push(SampledToken token)
    {
        Count++;
        _held.Enqueue(new(token, _decoded));
        var text = _stream?.Push(token.Id) ?? "";
        _decoded += text.Length;
        return Release(Count <= fields.Sampling.MinTokens ? _stops.Pass(text) : _stops.Push(text), last: IsStopped);
    }

    /// <summary>What was held back, when the answer ends otherwise than by a stop string.</summary>
    public TextPiece Flush()
    {
        if (IsStopped)
            return new("", []);
        var text = _stream?.Flush() ?? "";
        _decoded += text.Length;
        return Release(_stops.Push(text) + _stops.Flush(), last: true);
    }

    TextPiece Release(string text, bool last)
    {
        _sent += text.Length;
        var tokens = ImmutableArray.CreateBuilder<TokenText>();
        while (_held.TryPeek(out var token) && (token.Offset < _sent || (_sent == _decoded && !_stops.Found)))
            tokens.Add(_held.Dequeue());
        return new(text, tokens.DrainToImmutable());
    }
}
