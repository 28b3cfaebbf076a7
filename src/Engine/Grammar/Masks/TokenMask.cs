namespace Serving.Grammar.Masks;

/// <summary>Tokens that may come next.</summary>
/// <param name="Bits">Bit i % 64 of word i / 64 for token i.</param>
/// <param name="Farthest">Tokens that are needed at most, after the worst of them, to come to an end.</param>
sealed record TokenMask(ulong[] Bits, int Farthest);

/// <summary>Tokens that may come next as far as one rule decides; the rest depends on what follows the rule.</summary>
/// <param name="Bits">Bit i % 64 of word i / 64 for each token i that keeps within the rule, or ends with it.</param>
/// <param name="Growth">How many tokens farther from the rule's end the worst of them is than the state is.</param>
/// <param name="Exits">Nodes of the vocabulary's tree where the rule can end while tokens go on.</param>
sealed record StateMask(ulong[] Bits, int Growth, int[] Exits);
