namespace Serving.Devices.Cpu;

/// <summary>
/// Writes the product kernels of 1 to 12 rows whose inputs are rounded: two 16-bit or four 8-bit integers a lane against whole-number
/// weights, and pairs of bfloat16 against bfloat16. Registers 0 to 23 hold the sums, two for each row; integer sums are exact, whatever
/// their order.
/// </summary>
static class PairCode
{
    const int First = 24, Second = 25, PairFirst = 26, PairSecond = 27, Value = 28, Mask = 29, Offset = 30, Spare = 31;
    const Register X = Register.Rdi, Scales = Register.Rsi, Panel = Register.Rdx, Totals = Register.R8, Sums = Register.R9;

    /// <summary>Code of the signature (x, scales, panel, blocks, totals, sums); see <see cref="PairKernel"/>.</summary>
    public static ReadOnlySpan<byte> Integers(PairShape shape, int rows)
    {
        var code = new Assembler();
        var areBytes = shape.InputBits == 8;
        if (areBytes) code.Constant(Mask, shape.Bits == 4 ? 0x0f0f0f0fu : 0x80808080);
        else if (shape.Bits == 4) code.Constant(Mask, 0x000f000f);
        if (!areBytes && shape.Offset != 0) code.Constant(Offset, (uint)(shape.Offset << 16 | shape.Offset));
        var block = code.Here;
        // With few rows a sum would wait for the one before: even and odd groups then have sums of their own.
        var chains = rows <= 3 ? 2 : 1;
        for (var sum = 0; sum < 2 * rows * chains; sum++)
        {
            // What the offset of the weights comes to is exact, and known beforehand.
            if (areBytes && !shape.HasMinimum && sum < 2 * rows) code.Broadcast(sum, Sums, sum / 2 * 4);
            else code.Clear(sum);
        }
        for (var word = 0; word < shape.Words; word++)
        {
            code.Load(First, Panel, word * 128);
            code.Load(Second, Panel, word * 128 + 64);
            code.Prefetch(Panel, word * 128 + PanelSize.Ahead);
            code.Prefetch(Panel, word * 128 + 64 + PanelSize.Ahead);
            for (var group = 0; group < shape.GroupsOfWord; group++)
            {
                Unpack(code, shape, group, First, PairFirst);
                Unpack(code, shape, group, Second, PairSecond);
                var number = word * shape.GroupsOfWord + group;
                for (var row = 0; row < rows; row++)
                {
                    code.Broadcast(Value, X, row * shape.RowBytes + number * 4);
                    var sum = 2 * (row + number % chains * rows);
                    code.MultiplyIntegers(sum, PairFirst, Value, areBytes);
                    code.MultiplyIntegers(sum + 1, PairSecond, Value, areBytes);
                }
            }
        }
        for (var sum = 0; chains == 2 && sum < 2 * rows; sum++) code.AddIntegers(sum, sum, sum + 2 * rows);
        Fold(code, shape, rows);
        code.Advance(X, rows * shape.RowBytes);
        code.Advance(Scales, rows * 4);
        code.Advance(Sums, rows * 4);
        code.Advance(Panel, shape.BlockBytes);
        code.LoopTo(block);
        code.Return();
        return code.Code;
    }

    /// <summary>The same over bfloat16 panels, whose words are pairs already; there are neither scales nor sums.</summary>
    public static ReadOnlySpan<byte> BFloat16(int rows)
    {
        var code = new Assembler();
        for (var sum = 0; sum < 2 * rows; sum++) code.Clear(sum);
        var block = code.Here;
        for (var pair = 0; pair < 16; pair++)
        {
            code.Load(PairFirst, Panel, pair * 128);
            code.Load(PairSecond, Panel, pair * 128 + 64);
            code.Prefetch(Panel, pair * 128 + PanelSize.Ahead);
            code.Prefetch(Panel, pair * 128 + 64 + PanelSize.Ahead);
            for (var row = 0; row < rows; row++)
            {
                code.Broadcast(Value, X, row * 64 + pair * 4);
                code.MultiplyBFloat16(2 * row, PairFirst, Value);
                code.MultiplyBFloat16(2 * row + 1, PairSecond, Value);
            }
        }
        code.Advance(X, rows * 64);
        code.Advance(Panel, 2048);
        code.LoopTo(block);
        for (var sum = 0; sum < 2 * rows; sum++) code.Store(sum, Totals, sum * 64);
        code.Return();
        return code.Code;
    }

    static void Unpack(Assembler code, PairShape shape, int group, int word, int to)
    {
        if (shape.Bits == 4)
        {
            // Group j of a word is its nibbles j and j + 4, or j, j + 2, j + 4 and j + 6.
            if (group > 0) code.ShiftRight(to, word, 4 * group);
            code.And(to, group > 0 ? to : word, Mask);
        }
        else if (shape.InputBits == 8)
        {
            code.ExclusiveOr(to, word, Mask);
        }
        else if (group == 0)
        {
            // The two odd bytes of a word, then the two even ones.
            code.ShiftShortsRight(to, word, 8);
        }
        else
        {
            code.ShiftShortsLeft(to, word, 8);
            code.ShiftShortsRight(to, to, 8);
        }
        if (shape.InputBits == 16 && shape.Offset != 0) code.SubtractShorts(to, to, Offset);
    }

    // total += sum * (scale of the inputs) * (scale of the weights) + minimum * (sum of the inputs).
    static void Fold(Assembler code, PairShape shape, int rows)
    {
        code.LoadHalves(First, Panel, shape.ScaleAt);
        code.LoadHalves(Second, Panel, shape.ScaleAt + 32);
        if (shape.HasMinimum)
        {
            code.LoadHalves(PairFirst, Panel, shape.ScaleAt + 64);
            code.LoadHalves(PairSecond, Panel, shape.ScaleAt + 96);
        }
        for (var row = 0; row < rows; row++)
            for (var half = 0; half < 2; half++)
            {
                var sum = 2 * row + half;
                code.ToFloats(sum, sum);
                code.MultiplyBy(sum, sum, Scales, row * 4);
                code.Load(Spare, Totals, sum * 64);
                code.FusedMultiplyAdd(Spare, sum, First + half);
                if (shape.HasMinimum) code.FusedMultiplyAdd(Spare, PairFirst + half, Sums, row * 4);
                code.Store(Spare, Totals, sum * 64);
            }
    }
}
