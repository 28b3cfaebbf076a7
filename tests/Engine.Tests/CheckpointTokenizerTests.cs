using System.Text.Json;
using Serving.Model;

namespace Serving.Tests;

public sealed class CheckpointTokenizerTests
{
    [Fact]
    public void The_embedded_model_tokenizes_like_its_publisher()
    {
        using var checkpoint = Checkpoint.Open(Fixtures.InRepository("models/smollm2-135m-instruct-mfa"));
        var tokenizer = CheckpointTokenizer.Load(checkpoint)!;
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("real/smollm2-135m-instruct-mfa.json")));
        foreach (var example in golden.RootElement.EnumerateArray())
            Assert.Equal(
                example.GetProperty("prompt_ids").EnumerateArray().Select(id => id.GetInt32()),
                tokenizer.Encode(example.GetProperty("prompt").GetString()!, addSpecial: false, parseSpecial: true));
    }

    [Fact]
    public void A_checkpoint_without_a_tokenizer_has_none()
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path("hf/llama_mha"));
        Assert.Null(CheckpointTokenizer.Load(checkpoint));
    }

    [Fact]
    public void A_broken_tokenizer_names_its_file()
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", """{"model_type":"llama"}""");
        folder.Write("model.safetensors", SafetensorsFileTests.Bytes("{}", []));
        var path = folder.Write("tokenizer.json", "{");
        using var checkpoint = Checkpoint.Open(folder.Path);
        var error = Assert.Throws<CheckpointException>(() => CheckpointTokenizer.Load(checkpoint));
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
    }
}
