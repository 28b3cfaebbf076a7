using System.Collections;
using System.Numerics;
using Serving.Text.Templates.Library;

namespace Serving.Text.Templates.Values;

/// <summary>A list.</summary>
sealed class ListValue(IReadOnlyList<Value> items) : Value
{
    public override string TypeName => "list";

    public override bool IsTrue => Items.Count > 0;

    public override bool IsSequence => true;

    public override int? Length => Items.Count;

    public override IReadOnlyList<Value> Items { get; } = items;

    public override Value? Lookup(Value key) => Sequences.At(Items, key);

    public override Value? Member(string name) => SequenceMethods.OfLists(this, name);

    public override void Write(TextBuilder output, bool quoted) => Sequences.Write(output, "[", Items, "]");
}

/// <summary>A tuple.</summary>
sealed class TupleValue(IReadOnlyList<Value> items) : Value
{
    public override string TypeName => "tuple";

    public override bool IsTrue => Items.Count > 0;

    public override bool IsSequence => true;

    public override int? Length => Items.Count;

    public override IReadOnlyList<Value> Items { get; } = items;

    /// <summary>Names of the items where the tuple has them (a group of <c>groupby</c>: grouper, list).</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    public override Value? Lookup(Value key) => Sequences.At(Items, key);

    public override Value? Member(string name)
    {
        for (var i = 0; i < Names.Count; i++)
            if (Names[i] == name) return Items[i];
        return SequenceMethods.OfTuples(this, name);
    }

    public override void Write(TextBuilder output, bool quoted) => Sequences.Write(output, "(", Items, Items.Count == 1 ? ",)" : ")");
}

/// <summary>The result of a filter that Python evaluates lazily: it can be looped over, but has no length and no index.</summary>
sealed class Generator(IReadOnlyList<Value> items) : Value
{
    public override string TypeName => "generator";

    public override IReadOnlyList<Value> Items { get; } = items;

    public override void Write(TextBuilder output, bool quoted) => output.Append("<generator object>");
}

/// <summary>The numbers of <c>range</c>, computed when asked for.</summary>
sealed class RangeValue(BigInteger start, BigInteger stop, BigInteger step) : Value, IReadOnlyList<Value>
{
    public override string TypeName => "range";

    public int Count { get; } = CountOf(start, stop, step);

    public override bool IsTrue => Count > 0;

    public override bool IsSequence => true;

    public override int? Length => Count;

    public override IReadOnlyList<Value> Items => this;

    public Value this[int index] => Int.Of(start + step * index);

    public override Value? Lookup(Value key) => Sequences.At(this, key);

    public IEnumerator<Value> GetEnumerator()
    {
        for (var i = 0; i < Count; i++) yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public override void Write(TextBuilder output, bool quoted) =>
        output.Append(step.IsOne ? $"range({start}, {stop})" : $"range({start}, {stop}, {step})");

    static int CountOf(BigInteger start, BigInteger stop, BigInteger step)
    {
        var span = step.Sign > 0 ? stop - start : start - stop;
        var count = span.Sign <= 0 ? 0 : (span - 1) / BigInteger.Abs(step) + 1;
        return count > int.MaxValue ? int.MaxValue : (int)count;
    }
}

static class Sequences
{
    public static Value? At(IReadOnlyList<Value> items, Value key)
    {
        if (key.AsInteger() is not { } index) return null;
        if (index < 0) index += items.Count;
        return index < 0 || index >= items.Count ? null : items[(int)index];
    }

    public static void Write(TextBuilder output, string open, IReadOnlyList<Value> items, string close)
    {
        output.Rendering.Enter();
        output.Append(open);
        for (var i = 0; i < items.Count; i++)
        {
            output.Rendering.Step();
            if (i > 0) output.Append(", ");
            items[i].Write(output, quoted: true);
        }
        output.Append(close);
        output.Rendering.Leave();
    }
}
