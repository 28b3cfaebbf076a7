using Serving.Text.Templates.Library;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Runtime;

/// <summary>Names visible at a place of the template; a loop body, macro or block opens one inside another.</summary>
sealed class Scope(Rendering rendering, Scope? parent = null)
{
    readonly Dictionary<string, Value> _names = new(StringComparer.Ordinal);

    public Rendering Rendering { get; } = rendering;

    public Scope Inner() => new(Rendering, this);

    public void Set(string name, Value value) => _names[name] = value;

    public Value Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
            if (scope._names.TryGetValue(name, out var value)) return value;
        return Globals.All.TryGetValue(name, out var function) ? function : Undefined.Name(name);
    }

    Scope? Outer { get; } = parent;
}
