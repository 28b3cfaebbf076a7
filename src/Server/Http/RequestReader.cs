using System.Text.Json;

namespace Serving.Server.Http;

/// <summary>
/// The members of a JSON object, read by name, type and range; null counts as absent. It remembers what was asked for, so that what a client sent
/// in vain can be named.
/// </summary>
sealed class RequestReader
{
    readonly Dictionary<string, RequestValue> _members = [];
    readonly HashSet<string> _read = [];
    readonly List<RequestReader> _objects = [];
    readonly string _path;

    public RequestReader(JsonElement value, string path)
    {
        _path = path;
        foreach (var member in value.EnumerateObject())
        {
            var name = RequestValue.Unicode(() => member.Name, path);
            _members[name] = new(member.Value, PathOf(name));
        }
    }

    public string PathOf(string name) => _path.Length == 0 ? name : $"{_path}.{name}";

    public bool Has(string name) => Find(name) is not null;

    /// <summary>A member that may be null, or null where there is none.</summary>
    public RequestValue? FindNullable(string name)
    {
        _read.Add(name);
        return _members.TryGetValue(name, out var value) ? value : null;
    }

    public RequestValue? Find(string name) => FindNullable(name) is { IsNull: false } value ? value : null;

    public RequestValue Required(string name) => FindNullable(name) ?? throw ApiException.Missing(PathOf(name));

    public string? String(string name, int maxLength = int.MaxValue) => Find(name)?.AsString(maxLength);

    public bool? Flag(string name) => Find(name)?.AsFlag();

    public int? Integer(string name, int min, int max = int.MaxValue) => (int?)Find(name)?.AsInteger(min, max);

    public long? Long(string name) => Find(name)?.AsInteger(long.MinValue, long.MaxValue);

    public float? Number(string name, double min, double max) => (float?)Find(name)?.AsNumber(min, max);

    public string? OneOf(string name, params ReadOnlySpan<string> values) => Find(name)?.AsOneOf(values);

    public IEnumerable<RequestValue>? List(string name, int min, int max) => Find(name)?.AsList(min, max);

    public RequestReader? Object(string name)
    {
        if (Find(name)?.AsObject() is not { } reader)
            return null;
        _objects.Add(reader);
        return reader;
    }

    /// <summary>The members of an object whose names are the client's own.</summary>
    public IEnumerable<KeyValuePair<string, RequestValue>> Entries()
    {
        _read.UnionWith(_members.Keys);
        return _members;
    }

    /// <summary>Marks members as known whose value changes nothing here.</summary>
    public void Accept(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
            _read.Add(name);
    }

    /// <summary>Refuses members of the protocol that would change the answer and are not served.</summary>
    public void Refuse(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (Has(name))
                throw ApiException.Unsupported(PathOf(name), $"Unsupported parameter: '{PathOf(name)}' is not served by this server.");
        }
    }

    /// <summary>Names that were asked for, whether they were there or not.</summary>
    public IReadOnlyCollection<string> Asked => _read;

    /// <summary>Paths of members that nobody asked for.</summary>
    public IEnumerable<string> Unread() =>
        _members.Keys.Where(name => !_read.Contains(name)).Select(PathOf).Concat(_objects.SelectMany(o => o.Unread()));
}
