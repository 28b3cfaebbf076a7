using Serving.Text.Templates.Library;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Filtering;

/// <summary>The filters that apply a filter or a test to each item.</summary>
static class SelectionFilters
{
    /// <summary><c>map('upper')</c> applies a filter, <c>map(attribute='a')</c> reads an attribute.</summary>
    public static Generator Map(Call call)
    {
        var items = call[0] is Undefined ? [] : call.Items(0);
        if (call.Rest is not [var name, ..]) return MapAttribute(call, items);
        var filter = Filters.Find(NameOf(name));
        var arguments = new Arguments([.. call.Rest.Skip(1)], call.Named);
        return new Generator([.. items.Select(item => filter.Invoke(call.Rendering, arguments.Before(item)))]);
    }

    public static Generator Select(Call call, bool keep)
    {
        var passes = TestOf(call, call.Rest);
        return new Generator([.. ItemsOf(call).Where(item => passes(item) == keep)]);
    }

    public static Generator SelectAttribute(Call call, bool keep)
    {
        var passes = TestOf(call, call.Rest);
        return new Generator([.. ItemsOf(call).Where(item => passes(Attributes.Read(call, item, call[1])) == keep)]);
    }

    static IReadOnlyList<Value> ItemsOf(Call call) => !call[0].IsTrue ? [] : call.Items(0);

    static Generator MapAttribute(Call call, IReadOnlyList<Value> items)
    {
        Value? attribute = null, otherwise = null;
        foreach (var (name, value) in call.Named)
            if (name == "attribute") attribute = value;
            else if (name == "default") otherwise = value;
            else throw TemplateException.Runtime($"Unexpected keyword argument '{name}'");
        if (attribute is null) throw TemplateException.Runtime("map requires a filter argument");
        return new Generator([.. items.Select(item => Attributes.Read(call, item, attribute, otherwise))]);
    }

    /// <summary>The test named first with the arguments behind it; without a name, whether the item is true.</summary>
    static Func<Value, bool> TestOf(Call call, IReadOnlyList<Value> rest)
    {
        if (rest is not [var name, ..]) return static item => item.IsTrue;
        var test = Tests.Find(NameOf(name));
        var arguments = new Arguments([.. rest.Skip(1)], call.Named);
        return item => test.Invoke(call.Rendering, arguments.Before(item)).IsTrue;
    }

    static string NameOf(Value name) => name is Str text ? text.Text
        : throw TemplateException.Runtime($"the name of a filter or test is needed, not '{name.TypeName}'");
}
