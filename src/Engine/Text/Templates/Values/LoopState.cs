using Serving.Text.Templates.Nodes;
using Serving.Text.Templates.Runtime;

namespace Serving.Text.Templates.Values;

/// <summary>The variable <c>loop</c> inside a loop's body.</summary>
sealed class LoopState(For loop, Scope scope, IReadOnlyList<Value> values, int depth) : Callable("loop")
{
    IReadOnlyList<Value>? _lastSeen;

    public int Index { get; set; }

    public override string TypeName => "LoopContext";

    public override int? Length => values.Count;

    public override Value? Member(string name) => name switch
    {
        "index" => Int.Of(Index + 1),
        "index0" => Int.Of(Index),
        "revindex" => Int.Of(values.Count - Index),
        "revindex0" => Int.Of(values.Count - Index - 1),
        "first" => Bool.Of(Index == 0),
        "last" => Bool.Of(Index == values.Count - 1),
        "length" => Int.Of(values.Count),
        "depth" => Int.Of(depth + 1),
        "depth0" => Int.Of(depth),
        "previtem" => Index > 0 ? values[Index - 1] : new Undefined("there is no previous item"),
        "nextitem" => Index + 1 < values.Count ? values[Index + 1] : new Undefined("there is no next item"),
        "cycle" => new Function("cycle", "*", Cycle),
        "changed" => new Function("changed", "*", Changed),
        _ => null,
    };

    public override Value Invoke(Rendering rendering, Arguments arguments) => arguments.Positional is [var over]
        ? loop.Recurse(scope, over, depth + 1)
        : throw TemplateException.Runtime("loop() takes the values to loop over, and nothing else");

    public override void Write(TextBuilder output, bool quoted) => output.Append($"<LoopContext {Index + 1}/{values.Count}>");

    Value Cycle(Call call) => call.Rest.Count > 0 ? call.Rest[Index % call.Rest.Count]
        : throw TemplateException.Runtime("no items for cycling given");

    Bool Changed(Call call)
    {
        var same = _lastSeen is { } last && Comparison.Equal(call.Rendering, new ListValue(last), new ListValue(call.Rest));
        _lastSeen = call.Rest;
        return Bool.Of(!same);
    }
}
