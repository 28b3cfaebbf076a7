namespace Serving.Sampling;

/// <summary>
/// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011):
/// a number is a function of key and counter alone, so a draw needs no state that a batch or a restart could disturb.
/// </summary>
static class Philox
{
    const uint MultiplierLow = 0xD2511F53, MultiplierHigh = 0xCD9E8D57;
    const uint WeylLow = 0x9E3779B9, WeylHigh = 0xBB67AE85;
    const int Rounds = 10;

    /// <summary>A uniform number in [0, 1) with 53 random bits, the same for the same seed and position everywhere.</summary>
    public static double Uniform(long seed, long position)
    {
        var block = Block(((uint)position, (uint)(position >> 32), 0, 0), ((uint)seed, (uint)(seed >> 32)));
        return ((((ulong)block.Y << 32) | block.X) >> 11) * (1.0 / (1L << 53));
    }

    /// <summary>The four 32-bit words at a counter under a key.</summary>
    public static (uint X, uint Y, uint Z, uint W) Block((uint X, uint Y, uint Z, uint W) counter, (uint Low, uint High) key)
    {
        for (var round = 0; round < Rounds; round++)
        {
            var first = (ulong)MultiplierLow * counter.X;
            var second = (ulong)MultiplierHigh * counter.Z;
            counter = ((uint)(second >> 32) ^ counter.Y ^ key.Low, (uint)second, (uint)(first >> 32) ^ counter.W ^ key.High, (uint)first);
            key = (unchecked(key.Low + WeylLow), unchecked(key.High + WeylHigh));
        }

        return counter;
    }
}
