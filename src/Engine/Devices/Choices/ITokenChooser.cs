namespace Serving.Devices;

/// <summary>
/// A device that chooses tokens where their logits lie, so that nothing but the tokens comes back. The choice is a function of the row and its
/// terms alone, and to the bit that of the sampler on the host: whoever chooses, the same is said.
/// </summary>
public interface ITokenChooser
{
    /// <summary>The most logits of a row, up to which sums of weights are exact.</summary>
    const int MaxVocabulary = 1 << 19;

    /// <summary>Chooses for rows of a batch, in order on the device's stream.</summary>
    /// <param name="logits">Logits [rows x vocabulary] of the batch's rows from <paramref name="firstRow"/> on; they are left as they are.</param>
    /// <param name="batch">What is chosen; unchanged until <see cref="Chosen"/>.</param>
    /// <param name="firstRow">Which of the batch's rows is the first of the logits.</param>
    void Choose(Tensor logits, ChoiceBatch batch, int firstRow);

    /// <summary>What was chosen, one id for each choice of the batch, or a negative number of <see cref="ChoiceBatch"/>; waits for it.</summary>
    void Chosen(Span<int> ids);
}
