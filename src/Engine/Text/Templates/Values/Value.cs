using Serving.Text.Templates.Runtime;

namespace Serving.Text.Templates.Values;

/// <summary>A value of the template language; it behaves as Python's would.</summary>
abstract class Value
{
    /// <summary>Python's name of the type, as its error messages say it.</summary>
    public abstract string TypeName { get; }

    public virtual bool IsTrue => true;

    /// <summary>What <c>len</c> counts, or null where the type has none.</summary>
    public virtual int? Length => null;

    /// <summary>What a loop visits, or null where the value cannot be looped over.</summary>
    public virtual IReadOnlyList<Value>? Items => null;

    /// <summary>Whether the value is one that Python finds both a length and an index on.</summary>
    public virtual bool IsSequence => false;

    /// <summary>The attribute or method of this name that Python's type has, or null.</summary>
    public virtual Value? Member(string name) => null;

    /// <summary>The item under a key, or null where there is none.</summary>
    public virtual Value? Lookup(Value key) => null;

    /// <summary>Writes the value as <c>str</c> would, or as <c>repr</c> where <paramref name="quoted"/>.</summary>
    public abstract void Write(TextBuilder output, bool quoted);

    public Str Print(Rendering rendering)
    {
        if (this is Str text) return text;
        var output = new TextBuilder(rendering);
        Write(output, quoted: false);
        return output.ToStr();
    }
}

/// <summary>Python's None.</summary>
sealed class None : Value
{
    public static readonly None Value = new();

    public override string TypeName => "NoneType";

    public override bool IsTrue => false;

    public override void Write(TextBuilder output, bool quoted) => output.Append("None");
}

/// <summary>True or False, which are also the integers 1 and 0.</summary>
sealed class Bool : Value
{
    public static readonly Bool True = new();
    public static readonly Bool False = new();

    public override string TypeName => "bool";

    public override bool IsTrue => this == True;

    public static Bool Of(bool value) => value ? True : False;

    public override void Write(TextBuilder output, bool quoted) => output.Append(IsTrue ? "True" : "False");
}
