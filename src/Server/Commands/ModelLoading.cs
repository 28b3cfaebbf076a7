using System.Collections.Immutable;
using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Serving.Devices;
using Serving.Diagnostics;
using Serving.Model;
using Serving.Sampling;
using Serving.Server.Embedding;
using Serving.Text;
using Serving.Text.Templates;

namespace Serving.Server.Commands;

/// <summary>From a checkpoint's path and the options to a model that can be served.</summary>
static partial class ModelLoading
{
    /// <summary>The folder of the model that comes with the program: beside it, or in the repository it was built in.</summary>
    public static string? DefaultModel()
    {
        foreach (var start in (string[])[AppContext.BaseDirectory, Directory.GetCurrentDirectory()])
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                var models = Path.Combine(folder.FullName, "models");
                if (Directory.Exists(models) && Directory.EnumerateDirectories(models).Order().FirstOrDefault(HasWeights) is { } found)
                    return found;
            }
        }
        return null;
    }

    static bool HasWeights(string folder) => Directory.EnumerateFiles(folder, "*.gguf").Any();

    /// <summary>Loads the model that a command's argument, its settings or the program itself names, without a server around it.</summary>
    public static ServedModel Load(string? path, ParseResult parsed)
    {
        var read = new SettingReader(SettingOptions.Values(parsed), Environment.GetEnvironmentVariable);
        path ??= read.Text(Settings.Model) ?? DefaultModel() ?? throw new SettingException("Name a model.");
        var engine = ServeCommand.EngineFrom(read);
        ChooseKernels(engine.CpuKernels);
        return Load(new ServerOptions { Model = path, Engine = engine }, new());
    }

    /// <summary>Takes the kernels of an option's value: the program may start again for them, so nothing may be open yet.</summary>
    public static void ChooseKernels(string name)
    {
        if (name != "auto") Kernels.Choose(Enum.Parse<KernelClass>(name, ignoreCase: true));
    }

    /// <summary>The same as a client of Microsoft.Extensions.AI.</summary>
    public static ServingChatClient Client(string? path, ParseResult parsed)
    {
        var served = Load(path, parsed);
        return new(served, new() { Model = served.Ids[0] });
    }

    /// <summary>Loads what the options name; what is wrong with it is an exception whose message is for people.</summary>
    public static ServedModel Load(ServerOptions options, EngineDiagnostics diagnostics) => Load(options, diagnostics, CudaOptions.FromEnvironment());

    /// <summary>The same, with a GPU's driver other than the one that the environment names.</summary>
    public static ServedModel Load(ServerOptions options, EngineDiagnostics diagnostics, CudaOptions driver)
    {
        var checkpoint = Checkpoint.Open(options.Model);
        // The vocabulary and the weights each take their time, and neither needs the other.
        var text = Task.Run(() => (CheckpointTokenizer.Load(checkpoint), TemplateOf(checkpoint, options.ChatTemplate)));
        IDevice? device = null;
        Checkpoint? draft = null;
        LoadedModel? loaded = null;
        try
        {
            draft = options.Engine.DraftModel is { } path ? Checkpoint.Open(path) : null;
            var choice = DeviceChoice.Of(options.Engine, driver with { Tell = notice => ServerLog.Notice(diagnostics.Logger, notice) });
            device = choice.Device;
            LoadedModel On(IDevice chosen) => new(checkpoint, chosen, EngineOptionsOf(options.Engine), diagnostics, draft);
            try
            {
                loaded = On(device);
            }
            catch (Exception error) when (error is InsufficientMemoryException or DeviceException && choice.Instead(options.Engine, error) is { } other)
            {
                device.Dispose();
                choice = other;
                loaded = On(device = choice.Device);
            }
            var (tokenizer, template) = text.GetAwaiter().GetResult();
            return new(options.Seed)
            {
                Engine = loaded.Engine,
                Owner = loaded,
                Ids = options.ServedNames.IsEmpty ? [NameOf(options.Model)] : options.ServedNames,
                Tokenizer = tokenizer,
                Template = template,
                StopIds = StopIds(checkpoint.Text, tokenizer),
                Defaults = options.UsesGenerationConfig ? DefaultsOf(checkpoint.Text.Generation) : new(),
                Created = new DateTimeOffset(File.GetLastWriteTimeUtc(options.Model)).ToUnixTimeSeconds(),
                Fingerprint = FingerprintOf(checkpoint, device, options.Engine),
                Device = loaded.Device,
                Notice = choice.Notice,
            };
        }
        catch
        {
            // No file may go while it is still read.
            Task.WaitAny(text);
            if (loaded is not null) loaded.DisposeAsync().AsTask().GetAwaiter().GetResult();
            else foreach (var owned in (IDisposable?[])[device, draft, checkpoint]) owned?.Dispose();
            throw;
        }
    }

    static EngineOptions EngineOptionsOf(EngineSettings settings)
    {
        var defaults = new EngineOptions();
        var sequences = settings.MaxSequences ?? Math.Min(defaults.MaxSequences, settings.TokensPerStep ?? int.MaxValue);
        return defaults with
        {
            MaxSequences = sequences,
            TokensPerStep = settings.TokensPerStep ?? Math.Max(defaults.TokensPerStep, sequences),
            PromptStep = settings.PromptStep,
            PageTokens = settings.BlockSize ?? defaults.PageTokens,
            CacheType = CacheTypeOf(settings.CacheDtype),
            RoundWeights = settings.Dtype == "bfloat16",
            Execution = Enum.Parse<Execution>(settings.Execution, ignoreCase: true),
            CacheBytes = settings.CacheBytes,
            MaxModelLength = settings.MaxLength,
            MaxQueuedRequests = settings.MaxQueuedRequests ?? defaults.MaxQueuedRequests,
            MaxQueuedTokens = settings.MaxQueuedTokens ?? defaults.MaxQueuedTokens,
            MaxQueueTime = settings.MaxQueueTime ?? defaults.MaxQueueTime,
            SnapshotTokens = settings.SnapshotTokens ?? defaults.SnapshotTokens,
            SnapshotBytes = settings.SnapshotBytes,
            SwapBytes = settings.SwapBytes,
            EnablePrefixCaching = settings.PrefixCaching,
            Drafting = settings.Drafting,
        };
    }

    /// <summary>The cache type of an option's value.</summary>
    public static CacheType CacheTypeOf(string name) => name switch
    {
        "auto" => new EngineOptions().CacheType,
        "fp8_e4m3" => CacheType.Fp8,
        _ => Enum.Parse<CacheType>(name, ignoreCase: true),
    };

    /// <summary>The template of a file, or the checkpoint's own; null if it has none.</summary>
    public static ChatTemplate? TemplateOf(Checkpoint checkpoint, string? path)
    {
        try
        {
            return path is not null ? ChatTemplate.Parse(File.ReadAllText(path))
                : checkpoint.Text.ChatTemplates.TryGetValue(TextSources.DefaultTemplate, out var source) ? ChatTemplate.Parse(source)
                : null;
        }
        catch (TemplateException error)
        {
            throw new CheckpointException($"The chat template {path ?? "of " + checkpoint.Path} cannot be read: {error.Message} Name another with --chat-template.", error);
        }
        catch (IOException error)
        {
            throw new CheckpointException($"The chat template cannot be read: {error.Message}", error);
        }
    }

    /// <summary>The tokens that end an answer, of all sources that name some.</summary>
    public static ImmutableArray<int> StopIds(TextSources text, Tokenizer? tokenizer)
    {
        int?[] named = tokenizer is null ? [] :
            [tokenizer.EndOfText, tokenizer.EndOfTurn, tokenizer.EndOfMessage, .. text.StopTokens.Select(tokenizer.IdOf)];
        return [.. text.StopIds.Concat(named.OfType<int>()).Distinct()];
    }

    static SamplingOptions DefaultsOf(GenerationDefaults given) => new()
    {
        Temperature = given.DoSample == false ? 0 : given.Temperature ?? 1,
        TopP = given.TopP ?? 1,
        TopK = given.TopK ?? 0,
        MinP = given.MinP ?? 0,
        RepetitionPenalty = given.RepetitionPenalty ?? 1,
    };

    static string FingerprintOf(Checkpoint checkpoint, IDevice device, EngineSettings settings)
    {
        var path = $"{ServerVersion.Text}|{checkpoint.Name}|{checkpoint.ByteLength}|{device.GetType().Name}|{Kernels.Here}|{settings.Dtype}|{settings.ActivationDtype}|{settings.CacheDtype}|{settings.Execution}";
        return "fp_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)), 0, 5);
    }

    /// <summary>The folder's or file's own name, without what splitting a file adds to it.</summary>
    static string NameOf(string path)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        return Part().Replace(name, "");
    }

    [GeneratedRegex(@"(-\d{5}-of-\d{5})?\.gguf\z", RegexOptions.IgnoreCase)]
    private static partial Regex Part();
}
