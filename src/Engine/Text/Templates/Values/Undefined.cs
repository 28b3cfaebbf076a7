namespace Serving.Text.Templates.Values;

/// <summary>What a missing name, member or item is: empty text, false, an empty loop; any other use of it fails with <paramref
/// name="why"/>.</summary>
sealed class Undefined(string why) : Value
{
    public override string TypeName => "Undefined";

    public override bool IsTrue => false;

    public override int? Length => 0;

    public override IReadOnlyList<Value> Items => [];

    public string Why { get; } = why;

    public static Undefined Name(string name) => new($"'{name}' is undefined");

    public static Undefined Member(Value owner, string name) =>
        owner is Undefined missing ? throw missing.Fail() : new Undefined($"'{Described(owner)}' has no attribute '{name}'");

    public static Undefined Item(Value owner, Value key) => key switch
    {
        _ when owner is Undefined missing => throw missing.Fail(),
        Str name => Member(owner, name.Text),
        _ => new Undefined($"'{Described(owner)}' has no such item (a key of type '{key.TypeName}')"),
    };

    public static Undefined Unsafe(Value owner, string name) =>
        new($"access to attribute '{name}' of '{owner.TypeName}' object is unsafe: a template may not change values or reach inside them.");

    public TemplateException Fail() => TemplateException.Runtime(Why);

    public override void Write(TextBuilder output, bool quoted) => output.Append(quoted ? "Undefined" : "");

    static string Described(Value owner) => owner is None ? "None" : owner.TypeName + " object";
}
