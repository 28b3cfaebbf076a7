using System.Globalization;
using Serving.Devices;
using Serving.Model;

namespace Serving.Tests;

/// <summary>What a loaded model keeps of its files in memory, by the kernel's own account.</summary>
public sealed class MappedMemoryTests
{
    [Fact]
    public void A_device_with_a_copy_of_its_own_gives_the_pages_of_the_file_back()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux says which pages of a file are in memory.");
        Assert.InRange(ResidentShare(), 0, 0.1);
    }

    // Other tests map the embedded model too, so this one maps a copy.
    static double ResidentShare()
    {
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(Fixtures.InRepository("models/smollm2-135m-instruct-mfa"), "*.gguf"))
            File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        var checkpoint = Checkpoint.Open(folder.Path);
        using var harness = new DecoderHarness(checkpoint, new CpuDevice());
        return (double)Resident(folder.Path) / checkpoint.ByteLength;
    }

    /// <summary>Bytes in memory of the mapped files of a folder.</summary>
    static long Resident(string folder)
    {
        var (sum, inside) = (0L, false);
        foreach (var line in File.ReadLines("/proc/self/smaps"))
            if (line.StartsWith("Rss:", StringComparison.Ordinal))
                sum += inside ? long.Parse(line[4..].Replace("kB", "").Trim(), CultureInfo.InvariantCulture) << 10 : 0;
            else if (line.Split(' ') is [_, ['r' or '-', ..], ..])
                inside = line.Contains(folder, StringComparison.Ordinal);
        return sum;
    }
}
