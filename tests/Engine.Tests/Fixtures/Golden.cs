using Serving.Attention;
using Serving.Devices;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>One case of a golden file.</summary>
sealed record GoldenCase(int Number, int[] Prompt, float[][] Logits, int[] GreedyIds, float[][] GreedyLogits)
{
    /// <summary>Where its tokens stand in time, height and width, the generated ones too; empty where they stand at their positions.</summary>
    public GridPlace[] Places { get; init; } = [];

    /// <summary>Most tokens its sequence reaches.</summary>
    public int Limit => Prompt.Length + GreedyIds.Length;
}

/// <summary>Expected results of a model fixture.</summary>
sealed class Golden : IDisposable
{
    readonly SafetensorsFile _file;

    readonly int _firstHidden;

    Golden(string path, float tolerance, int firstHidden)
    {
        (_file, Tolerance, _firstHidden) = (SafetensorsFile.Open(path), tolerance, firstHidden);
        Cases = [.. Enumerable.Range(0, 8).Where(k => Has($"{k}.input_ids", integers: true)).Select(Case)];
    }

    public float Tolerance { get; }

    public GoldenCase[] Cases { get; }

    /// <summary>Residual streams that the file holds.</summary>
    public int HiddenStates => Enumerable.Range(0, 64).Count(layer => Has($"0.hidden.{layer}"));

    /// <summary>The residual stream of case 0 before layer 0 or after layer <paramref name="layer"/>; null where the file has none.</summary>
    public float[]? Hidden(int layer) => Has($"0.hidden.{layer - _firstHidden}") ? Rows($"0.hidden.{layer - _firstHidden}").SelectMany(row => row).ToArray() : null;

    /// <summary>Opens the golden file of a fixture.</summary>
    public static Golden Open(string model) => model.Split('/')[0] switch
    {
        "gguf" => new(Fixtures.Path(Path.ChangeExtension(model, ".safetensors")), 1e-3f, 0),
        "hf" => new(Path.Combine(Fixtures.Path(model), "golden.safetensors"), 5e-4f, 0),
        // Here hidden.0 is what the first layer gives, not what it gets.
        _ => new(Path.Combine(Fixtures.Path(model), "golden.safetensors"), 1e-3f, 1),
    };

    /// <summary>Requires every value within a tolerance, and says where the largest difference lies.</summary>
    public static void Near(float[][] expected, float[][] actual, float tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        var (worst, row, column) = (0f, 0, 0);
        for (var r = 0; r < expected.Length; r++)
        {
            Assert.Equal(expected[r].Length, actual[r].Length);
            for (var c = 0; c < expected[r].Length; c++)
                if (!(Math.Abs(expected[r][c] - actual[r][c]) <= worst)) (worst, row, column) = (Math.Abs(expected[r][c] - actual[r][c]), r, c);
        }
        Assert.True(worst <= tolerance, $"{what}: row {row}, value {column} is {actual[row][column]}, expected {expected[row][column]}: off by {worst}, allowed {tolerance}.");
    }

    public void Dispose() => _file.Dispose();

    GoldenCase Case(int k) => new(k, Ids($"{k}.input_ids"), Rows($"{k}.logits"), Ids($"{k}.greedy_ids"), Rows($"{k}.greedy_logits"))
    {
        Places = Has($"{k}.position_ids", integers: true) ? Places(Ids($"{k}.position_ids"), Ids($"{k}.greedy_ids").Length) : [],
    };

    // A generated token stands behind the greatest of all parts so far, in all three.
    static GridPlace[] Places(int[] parts, int generated)
    {
        var (given, next) = (parts.Length / 3, parts.Max() + 1);
        return
        [
            .. Enumerable.Range(0, given).Select(i => new GridPlace(parts[i], parts[given + i], parts[2 * given + i])),
            .. Enumerable.Range(next, generated).Select(place => new GridPlace(place, place, place)),
        ];
    }

    bool Has(string name, bool integers = false) => integers ? _file.Unserved.Any(entry => entry.Key == name) : _file.Tensors.ContainsKey(name);

    int[] Ids(string name) => [.. _file.Int64(name).Select(id => (int)id)];

    float[][] Rows(string name)
    {
        var tensor = _file.Tensors[name];
        return [.. Enumerable.Range(0, tensor.Rows).Select(row => { var values = new float[tensor.Columns]; RowWidening.Widen(tensor, row, values); return values; })];
    }
}
