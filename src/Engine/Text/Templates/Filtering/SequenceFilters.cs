using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Filtering;

/// <summary>The filters that join, cut and turn sequences.</summary>
static class SequenceFilters
{
    public static Str Join(Call call)
    {
        var items = call.Items(0);
        var separator = call.Text(1);
        var output = new TextBuilder(call.Rendering);
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0) output.Append(separator);
            var item = call.Has(2) ? Attributes.Read(call, items[i], call[2]) : items[i];
            item.Write(output, quoted: false);
        }
        return output.ToStr();
    }

    public static Generator Batch(Call call)
    {
        var (items, size) = (call.Items(0), Math.Max(1, call.Number(1)));
        List<Value> batches = [];
        for (var from = 0; from < items.Count; from += size)
        {
            List<Value> batch = [.. items.Skip(from).Take(size)];
            if (call.Has(2))
            {
                call.Rendering.Step(size - batch.Count);
                batch.AddRange(Enumerable.Repeat(call[2], size - batch.Count));
            }
            batches.Add(new ListValue(batch));
            call.Rendering.Step(from >> 6);
            if (from > items.Count - size) break;
        }
        return new Generator(batches);
    }

    public static Generator Slice(Call call)
    {
        var (items, slices) = (call.Items(0), call.Number(1));
        if (slices <= 0) throw TemplateException.Runtime("slice needs a positive number of slices");
        call.Rendering.Step(slices);
        var (size, larger) = (items.Count / slices, items.Count % slices);
        List<Value> parts = [];
        var from = 0;
        for (var i = 0; i < slices; i++)
        {
            var length = size + (i < larger ? 1 : 0);
            List<Value> part = [];
            for (var j = 0; j < length; j++) part.Add(items[from + j]);
            from += length;
            if (call.Has(2) && i >= larger) part.Add(call[2]);
            parts.Add(new ListValue(part));
        }
        return new Generator(parts);
    }

    public static Value Reverse(Call call)
    {
        if (call[0] is Str text) return Access.Slice(call.Rendering, text, (None.Value, None.Value, Int.Of(-1)));
        List<Value> items = [.. call.Items(0)];
        items.Reverse();
        return new Generator(items);
    }

    public static Value Sum(Call call)
    {
        var sum = call.Optional(2) ?? Int.Of(0);
        if (sum is Str) throw TemplateException.Runtime("sum() can't sum strings; use join");
        foreach (var item in call.Items(0))
            sum = Operators.Add(call.Rendering, sum, call.Has(1) ? Attributes.Read(call, item, call[1]) : item);
        return sum;
    }
}

/// <summary>Reading an attribute by the path a filter was given, as <c>a.b.0</c>.</summary>
static class Attributes
{
    public static Value Read(Call call, Value item, Value path, Value? otherwise = null)
    {
        if (path is not Str text) return Access.Item(call.Rendering, item, path);
        foreach (var part in text.Text.Split('.'))
        {
            call.Rendering.Step();
            item = Access.Item(call.Rendering, item, int.TryParse(part, out var index) ? Int.Of(index) : new Str(part));
            if (item is Undefined && otherwise is not null) item = otherwise;
        }
        return item;
    }
}
