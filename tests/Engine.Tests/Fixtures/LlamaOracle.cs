using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Serving.Tests;

/// <summary>llama.cpp in a process of its own, as tests/oracles/install brings it; a skipped test without it.</summary>
sealed class LlamaOracle : IDisposable
{
    readonly Process _python;
    readonly Task<string> _errors;

    LlamaOracle(string libraries)
    {
        _python = Process.Start(new ProcessStartInfo("python3", [Fixtures.InRepository("tests/oracles/llama_oracle.py"), libraries])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _errors = _python.StandardError.ReadToEndAsync();
    }

    /// <summary>Starts it, or skips the test where it is not installed.</summary>
    public static LlamaOracle OrSkip()
    {
        var libraries = Fixtures.InRepository("tests/oracles/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64");
        if (!Directory.Exists(libraries)) Assert.Skip("llama.cpp is not installed (tests/run --all --install installs it below tests/oracles).");
        try
        {
            return new(libraries);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("python3, which calls llama.cpp, is not installed.");
            throw;
        }
    }

    /// <summary>The logits of every token of a prompt in a context of so many tokens.</summary>
    public float[][] Logits(string model, int[] prompt, int context, string scratch)
    {
        var file = Path.Combine(scratch, "logits.bin");
        _python.StandardInput.WriteLine(JsonSerializer.Serialize(new { model, tokens = prompt, context, logits = file }));
        var line = _python.StandardOutput.ReadLine();
        Assert.True(line is not null, $"llama.cpp ended at {model}: {(line is null ? _errors.Result : "")}");
        var answer = JsonDocument.Parse(line!).RootElement;
        Assert.False(answer.TryGetProperty("error", out var error), $"llama.cpp refuses {model}: {error}");
        var values = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(file)).ToArray();
        return [.. values.Chunk(answer.GetProperty("vocabulary").GetInt32())];
    }

    public void Dispose()
    {
        _python.StandardInput.Close();
        _python.WaitForExit();
        _python.Dispose();
    }
}
