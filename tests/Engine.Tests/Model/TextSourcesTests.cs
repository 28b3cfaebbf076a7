using Serving.Model;

namespace Serving.Tests;

public sealed class TextSourcesTests
{
    [Fact]
    public void Stop_ids_are_the_union_of_all_files()
    {
        var text = Open(
            ("config.json", """{"model_type":"llama","eos_token_id":7}"""),
            ("generation_config.json", """{"eos_token_id":[9,2],"temperature":0.6,"top_k":20,"do_sample":true}"""),
            ("tokenizer_config.json",
                """{"eos_token":{"content":"<end>"},"added_tokens_decoder":{"5":{"content":"<pad>"},"4":{"content":"<end>"}}}"""));
        Assert.Equal([2, 4, 7, 9], text.StopIds);
        Assert.Empty(text.StopTokens);
        Assert.Equal(new GenerationDefaults { DoSample = true, Temperature = 0.6f, TopK = 20 }, text.Generation);
    }

    [Fact]
    public void An_end_token_without_an_id_is_left_to_the_vocabulary()
    {
        var text = Open(("config.json", """{"model_type":"llama","eos_token_id":null}"""),
            ("tokenizer_config.json", """{"eos_token":"</s>"}"""));
        Assert.Empty(text.StopIds);
        Assert.Equal(["</s>"], text.StopTokens);
    }

    [Fact]
    public void Templates_are_found_wherever_they_are_published()
    {
        const string Config = """{"model_type":"llama"}""";
        Assert.Equal(
            "one", Open(("config.json", Config), ("tokenizer_config.json", """{"chat_template":"one"}""")).ChatTemplates["default"]);
        var named = Open(("config.json", Config), ("tokenizer_config.json",
            """{"chat_template":[{"name":"default","template":"one"},{"name":"tool_use","template":"two"}]}"""));
        Assert.Equal(("one", "two"), (named.ChatTemplates["default"], named.ChatTemplates["tool_use"]));
        Assert.Equal(
            "json", Open(("config.json", Config), ("chat_template.json", """{"chat_template":"json"}""")).ChatTemplates["default"]);
        var files = Open(("config.json", Config), ("tokenizer_config.json", """{"chat_template":"old"}"""), ("chat_template.jinja", "new"),
            ("additional_chat_templates/rag.jinja", "documents"));
        Assert.Equal(("new", "documents"), (files.ChatTemplates["default"], files.ChatTemplates["rag"]));
    }

    [Fact]
    public void A_gguf_file_names_templates_and_ends()
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Checkpoint.Open(folder.Write("m.gguf", new GgufBytes().Text("general.architecture", "llama")
            .Text("tokenizer.chat_template", "main").Text("tokenizer.chat_template.tool_use", "tools")
            .UInt32("tokenizer.ggml.eos_token_id", 5).UInt32("tokenizer.ggml.eot_token_id", 3)
            .UInt32("tokenizer.ggml.eom_token_id", 5).ToArray()));
        Assert.Equal(("main", "tools"), (checkpoint.Text.ChatTemplates["default"], checkpoint.Text.ChatTemplates["tool_use"]));
        Assert.Equal([3, 5], checkpoint.Text.StopIds);
        Assert.False(checkpoint.Text.HasTokenizer);
    }

    static TextSources Open(params (string Name, string Text)[] files)
    {
        using var folder = new TemporaryFolder();
        foreach (var (name, text) in files)
            folder.Write(name, text);
        folder.Write("model.safetensors", SafetensorsFileTests.Bytes("{}", []));
        using var checkpoint = Checkpoint.Open(folder.Path);
        return checkpoint.Text;
    }
}
