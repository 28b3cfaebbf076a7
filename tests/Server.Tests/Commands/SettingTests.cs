using Microsoft.AspNetCore.Server.Kestrel.Https;
using Serving.Server;
using Serving.Server.Commands;

namespace Serving.Tests;

public sealed class SettingTests : IDisposable
{
    readonly string _file = Path.Combine(Path.GetTempPath(), $"settings-{Guid.NewGuid():N}.json");

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void Without_settings_the_defaults_of_the_options_hold()
    {
        var options = Options([]);
        Assert.Equal(
            new ServerOptions { Model = "m", ServedNames = options.ServedNames, ApiKeys = options.ApiKeys, AllowedOrigins = options.AllowedOrigins }, options);
    }

    [Fact]
    public void A_flag_goes_before_the_environment_and_that_before_the_file()
    {
        File.WriteAllText(_file, """{"port": 1, "max_num_seqs": 2, "api-key": ["a", "b"], "seed": 3} // comments are fine""");
        string[] config = ["--config", _file];
        Assert.Equal((1, 2, 3L), Read(Options(config)));
        Assert.Equal(["a", "b"], Options(config).ApiKeys);
        Assert.Equal((4, 2, 3L), Read(Options(config, ("SERVING_PORT", "4"))));
        Assert.Equal((5, 2, 3L), Read(Options([.. config, "--port", "5"], ("SERVING_PORT", "4"))));
        Assert.Equal((1, 6, 3L), Read(Options([], ("SERVING_CONFIG", _file), ("SERVING_MAX_NUM_SEQS", "6"))));
        Assert.Equal(["x", "y"], Options(config, ("SERVING_API_KEY", "x, y")).ApiKeys);

        static (int, int?, long?) Read(ServerOptions options) => (options.Port, options.Engine.MaxSequences, options.Seed);
    }

    [Theory]
    [InlineData("--no-enable-prefix-caching", false)]
    [InlineData("--enable-prefix-caching", true)]
    [InlineData("--enable-prefix-caching=false", false)]
    [InlineData("--no_enable_prefix_caching", false)]
    public void Switches_are_on_and_off_as_vllm_s(string flag, bool on)
    {
        Assert.Equal(on, Options([flag]).Engine.PrefixCaching);
    }

    [Theory]
    [InlineData("2147483648", 2147483648)]
    [InlineData("512MiB", 512L << 20)]
    [InlineData("1.5G", 3L << 29)]
    public void Bytes_have_units(string text, long bytes)
    {
        Assert.Equal(bytes, Options(["--kv-cache-memory-bytes", text]).Engine.CacheBytes);
    }

    [Fact]
    public void Kept_states_have_a_distance_and_a_memory_of_their_own()
    {
        var engine = Options(["--snapshot-tokens", "256", "--snapshot-memory-bytes", "64MiB"]).Engine;
        Assert.Equal((256, 64L << 20), (engine.SnapshotTokens, engine.SnapshotBytes));
        Assert.Contains("--snapshot-tokens is '0'", Assert.Throws<SettingException>(() => Options(["--snapshot-tokens", "0"])).Message);
    }

    [Theory]
    [InlineData("--port abc", "--port is 'abc'; it must be a whole number from 0 to 65535.")]
    [InlineData("--cpu-kernels neon", "--cpu-kernels is 'neon'; it must be auto, avx512, avx2, portable.")]
    [InlineData("--dtype int4", "--dtype is 'int4'; it must be auto, float32, bfloat16.")]
    [InlineData("--kv-cache-dtype fp4", "--kv-cache-dtype is 'fp4'; it must be auto, float32, bfloat16, fp8, fp8_e4m3, int8, int4.")]
    [InlineData("--kv-cache-memory-bytes lots", "--kv-cache-memory-bytes is 'lots'")]
    [InlineData("--host example.org", "--host is 'example.org'")]
    [InlineData("--max-model-length 5", "There is no option --max-model-length. Did you mean --max-model-len?")]
    [InlineData("health --cacrt x", "There is no option --cacrt of 'health'. Did you mean --cacert?")]
    [InlineData("health --temperature 1", "There is no option --temperature of 'health'. 'serving health --help' lists them.")]
    [InlineData("bench serve --client 3", "There is no option --client of 'serve'. Did you mean --clients?")]
    [InlineData("--frobnicate", "There is no option --frobnicate. 'serving --help' lists them.")]
    [InlineData("serv", "There is no command 'serv'. Did you mean serve?")]
    [InlineData("--tensor-parallel-size 2", "--tensor-parallel-size is not served.")]
    [InlineData("--enable-lora", "--enable-lora is not served.")]
    [InlineData("--limit-mm-per-prompt={}", "--limit-mm-per-prompt is not served.")]
    [InlineData("--speculative-config {", "--speculative-config is not JSON: line 1")]
    [InlineData("--speculative-config 4", "--speculative-config must hold a JSON object, not 4.")]
    [InlineData("--speculative-config {\"method\":\"ngram\"}", "--speculative-config lacks num_speculative_tokens")]
    [InlineData("--speculative-config {\"method\":\"eagle\",\"num_speculative_tokens\":4}", "must hold 'method' as")]
    [InlineData("--speculative-config {\"num_speculative_token\":4}", "names 'num_speculative_token'; it may hold method, ")]
    [InlineData("--speculative-config {\"num_speculative_tokens\":4,\"prompt_lookup_min\":99}", "must be between 1 and 64")]
    [InlineData("--speculative-config {\"method\":\"draft_model\"}", "lacks 'model'")]
    [InlineData("--speculative-config {\"method\":\"ngram\",\"model\":\"m\"}", "which the method ngram has no use for")]
    [InlineData("--speculative-config {\"model\":4}", "'model' as a text")]
    [InlineData("--config /nowhere/settings.json", "The settings file cannot be read")]
    public void A_mistake_is_answered_in_one_sentence(string arguments, string message)
    {
        Assert.Contains(message, Assert.Throws<SettingException>(() => Options(arguments.Split(' '))).Message);
    }

    [Theory]
    [InlineData("""{"prot": 1}""", "names the unknown setting 'prot'. Did you mean 'port'?")]
    [InlineData("""{"port": """, "is not JSON: line 1")]
    [InlineData("[]", "must hold one JSON object")]
    [InlineData("""{"port": 70000}""", "'port' in ")]
    public void A_mistake_in_the_file_names_the_file(string json, string message)
    {
        File.WriteAllText(_file, json);
        var error = Assert.Throws<SettingException>(() => Options(["--config", _file])).Message;
        Assert.Contains(message, error);
        Assert.Contains(_file, error);
    }

    [Theory]
    [InlineData("""{"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3, "disable_by_batch_size": 8}""", 4, 2, 3, 8)]
    [InlineData("""{"num_speculative_tokens": 6, "prompt_lookup_min": 7}""", 6, 7, 7, int.MaxValue)]
    [InlineData("""{"prompt_lookup_max": 1}""", 5, 1, 1, int.MaxValue)]
    [InlineData(null, 5, 2, 5, int.MaxValue)]
    public void Guesses_go_by_the_names_of_another_server(string? json, int tokens, int shortest, int longest, int sequences)
    {
        Assert.Null(Options([]).Engine.Drafting);
        var options = json is null ? Options(["--num-speculative-tokens", "5"]) : Options(["--speculative-config", json], ("SERVING_NUM_SPECULATIVE_TOKENS", "5"));
        Assert.Equal(new(tokens) { ShortestMatch = shortest, LongestMatch = longest, MostSequences = sequences }, options.Engine.Drafting);
    }

    [Fact]
    public void A_draft_model_may_be_named_plainly()
    {
        var plain = Options(["--speculative-model", "d"]).Engine;
        Assert.Equal((new(4), "d"), (plain.Drafting, plain.DraftModel));
        var config = Options(["--speculative-config", """{"model": "d", "num_speculative_tokens": 2}"""]).Engine;
        Assert.Equal((new(2), "d"), (config.Drafting, config.DraftModel));
    }

    [Fact]
    public void What_asks_for_nothing_is_left_out()
    {
        Assert.Equal(9, Options(["--tensor-parallel-size", "1", "--port", "9", "--pipeline-parallel-size=1"]).Port);
    }

    [Fact]
    public void Tls_goes_by_the_names_of_its_files()
    {
        Assert.Null(Options([]).Tls);
        Assert.Equal(new("c", "k", "a", ClientCertificateMode.AllowCertificate),
            Options(["--ssl-certfile", "c", "--ssl-keyfile", "k", "--ssl-ca-certs", "a", "--ssl-cert-reqs", "1"]).Tls);
        Assert.Equal(ClientCertificateMode.RequireCertificate, Options(["--ssl-certfile", "c", "--ssl-ca-certs", "a"]).Tls!.ClientCertificates);
        Assert.Contains("--ssl-certfile", Assert.Throws<SettingException>(() => Options(["--ssl-keyfile", "k"])).Message);
    }

    static ServerOptions Options(string[] arguments, params (string Name, string Value)[] environment) =>
        ServeCommand.OptionsFrom(new SettingReader(CommandLine.Flags([.. arguments, "--model", "m"]), name => environment.FirstOrDefault(e => e.Name == name).Value));
}
