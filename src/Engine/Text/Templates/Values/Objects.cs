using Serving.Text.Templates.Runtime;

namespace Serving.Text.Templates.Values;

/// <summary>What <c>namespace(...)</c> makes: the one value whose members a template may set.</summary>
sealed class Namespace(Dict members) : Value
{
    public override string TypeName => "Namespace";

    public override Value? Member(string name) => members[name];

    public override Value? Lookup(Value key) => members.Lookup(key);

    public void Set(string name, Value value)
    {
        if (name.StartsWith('_')) throw TemplateException.Runtime($"a namespace takes no name with a leading underscore, as '{name}'");
        members.Set(name, value);
    }

    public override void Write(TextBuilder output, bool quoted)
    {
        output.Append("<Namespace ");
        members.Write(output, quoted: true);
        output.Append(">");
    }
}

/// <summary>What <c>cycler(...)</c> makes: gives its items in turn.</summary>
sealed class Cycler(IReadOnlyList<Value> items) : Value
{
    int _at;

    public override string TypeName => "Cycler";

    public override Value? Member(string name) => name switch
    {
        "current" => items[_at],
        "next" => new Function("next", "", _ => Next()),
        "reset" => new Function("reset", "", _ => Reset()),
        _ => null,
    };

    public override void Write(TextBuilder output, bool quoted) => output.Append("<Cycler>");

    Value Next()
    {
        var current = items[_at];
        _at = (_at + 1) % items.Count;
        return current;
    }

    None Reset()
    {
        _at = 0;
        return None.Value;
    }
}

/// <summary>What <c>joiner(...)</c> makes: empty text when first called, its separator from then on.</summary>
sealed class Joiner(Value separator) : Callable("joiner")
{
    bool _used;

    public override Value Invoke(Rendering rendering, Arguments arguments)
    {
        if (_used) return separator;
        _used = true;
        return Str.Empty;
    }
}
