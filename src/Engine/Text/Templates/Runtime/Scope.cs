using Serving.Text.Templates.Library;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Runtime;

/// <summary>Names visible at a place of the template; a loop body, macro or block opens one inside another.</summary>
sealed class Scope(Rendering rendering, Scope? parent = null)
{
    /// <summary>Beyond so many names a table is faster than looking at each; loop bodies stay below.</summary>
    const int FewNames = 8;

    readonly List<(string Name, Value Value)> _few = new(2);
    Dictionary<string, Value>? _many;

    public Rendering Rendering { get; } = rendering;

    public Scope Inner() => new(Rendering, this);

    public void Set(string name, Value value)
    {
        var at = _many is null ? _few.FindIndex(entry => entry.Name == name) : -1;
        if (_many is not null) _many[name] = value;
        else if (at >= 0) _few[at] = (name, value);
        else _few.Add((name, value));
        if (_few.Count <= FewNames || _many is not null) return;
        _many = _few.ToDictionary(entry => entry.Name, entry => entry.Value, StringComparer.Ordinal);
    }

    public Value Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
            if (scope.Own(name) is { } value) return value;
        return Globals.All.TryGetValue(name, out var function) ? function : Undefined.Name(name);
    }

    Scope? Outer { get; } = parent;

    Value? Own(string name)
    {
        if (_many is not null) return _many.GetValueOrDefault(name);
        foreach (var (own, value) in _few)
            if (own == name) return value;
        return null;
    }
}
