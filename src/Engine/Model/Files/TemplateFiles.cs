using System.Text;

namespace Serving.Model;

/// <summary>
/// Finds chat templates: tokenizer_config.json (one or a named list), files beside it, GGUF metadata. A file beside it counts more.
/// </summary>
static class TemplateFiles
{
    const int MostBytes = 4 << 20;
    const string Main = TextSources.DefaultTemplate;

    /// <summary>The templates of a Hugging Face folder by name.</summary>
    public static IReadOnlyDictionary<string, string> Find(string folder, ModelConfig? tokenizer)
    {
        var found = new Dictionary<string, string>();
        if (tokenizer is not null)
            AddFrom(tokenizer, found);
        if (Path.Combine(folder, "chat_template.json") is var json && File.Exists(json))
            AddFrom(new(JsonFile.ReadObject(json), json), found);
        if (Path.Combine(folder, "chat_template.jinja") is var jinja && File.Exists(jinja))
            found[Main] = Read(jinja);
        if (Path.Combine(folder, "additional_chat_templates") is var more && Directory.Exists(more))
            foreach (var path in Directory.GetFiles(more, "*.jinja"))
                found[Path.GetFileNameWithoutExtension(path)] = Read(path);
        return found;
    }

    /// <summary>The templates of a GGUF file by name.</summary>
    public static IReadOnlyDictionary<string, string> Find(GgufMetadata metadata)
    {
        const string Key = "tokenizer.chat_template";
        var found = metadata.Keys.Where(key => key.StartsWith(Key + ".", StringComparison.Ordinal))
            .ToDictionary(key => key[(Key.Length + 1)..], key => metadata.Text(key)!);
        if (metadata.Text(Key) is { } main)
            found[Main] = main;
        return found;
    }

    static void AddFrom(ModelConfig file, Dictionary<string, string> found)
    {
        if (file.IsList("chat_template"))
            foreach (var template in file.Objects("chat_template")!)
                found[template.Text("name")] = template.Text("template");
        else if (file.TextOrNull("chat_template") is { } text)
            found[Main] = text;
    }

    static string Read(string path)
    {
        using var file = MappedFile.Open(path);
        return file.Length <= MostBytes
            ? Encoding.UTF8.GetString(file.Bytes(0, (int)file.Length))
            : throw new CheckpointException($"{path} has {file.Length} bytes; at most {MostBytes} are read as a chat template.");
    }
}
