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
    readonly TextStream? _stream = tokenizer is null ? null : new(tokenizer, prompt, fields.SkipsSpecial, fields.Shown);
    readonly StopStrings _stops = new(fields.Stops, fields.IncludesStop);
    readonly Queue<TokenText> _held = [];
    int _decoded;
    int _released;
    bool _ended;

    /// <summary>Tokens generated so far.</summary>
    public int Count { get; private set; }

    /// <summary>How many of them had been guessed.</summary>
    public int Guessed { get; private set; }

    /// <summary>Whether a stop string was found: what follows does not belong to the answer.</summary>
    public bool IsStopped => _ended || _stops.Stop is not null;

    /// <summary>Ends the answer where it is.</summary>
    public void Stop() => _ended = true;

    public TextPiece Push(SampledToken token, bool guessed)
    {
        Count++;
        if (guessed) Guessed++;
        _held.Enqueue(new(token, _decoded));
        var text = _stream?.Push(token.Id) ?? "";
        _decoded += text.Length;
        return Count <= fields.Sampling.MinTokens ? new(text, [_held.Dequeue()]) : Released(_stops.Push(text));
    }

    /// <summary>What was held back, when the answer ends otherwise than by a stop string.</summary>
    public TextPiece Flush() => Released(_stops.Flush(IsStopped ? "" : _stream?.Flush() ?? ""));

    TextPiece Released(StopStep step)
    {
        var tokens = ImmutableArray.CreateBuilder<TokenText>();
        while (_held.Count > 0 && _released < step.Tokens)
        {
            tokens.Add(_held.Dequeue());
            _released++;
        }
        return new(step.Text, tokens.DrainToImmutable());
    }
}
