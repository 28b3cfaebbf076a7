using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Nodes;

/// <summary>What <c>set</c>, <c>for</c> and <c>with</c> assign to.</summary>
abstract record Target
{
    public abstract void Assign(Scope scope, Value value);

    /// <summary>A name of the scope.</summary>
    public sealed record Variable(string Name) : Target
    {
        public override void Assign(Scope scope, Value value) => scope.Set(Name, value);
    }

    /// <summary>A member of a namespace.</summary>
    public sealed record Member(string Owner, string Name) : Target
    {
        public override void Assign(Scope scope, Value value)
        {
            if (scope.Find(Owner) is not Namespace owner)
                throw TemplateException.Runtime($"cannot assign attribute on non-namespace object; make '{Owner}' a namespace()");
            owner.Set(Name, value);
        }
    }

    /// <summary>Several targets that share the items of a value.</summary>
    public sealed record Several(IReadOnlyList<Target> Targets) : Target
    {
        public override void Assign(Scope scope, Value value)
        {
            var items = value.Iterate(scope.Rendering);
            if (items.Count != Targets.Count)
                throw TemplateException.Runtime($"cannot unpack {items.Count} values into {Targets.Count} names");
            for (var i = 0; i < items.Count; i++) Targets[i].Assign(scope, items[i]);
        }
    }
}
