using System.CommandLine;
using System.Text.Json;
using Serving.Model;
using Serving.Server.Bench;

namespace Serving.Server.Commands;

/// <summary>bench grammar: what it costs to hold answers to a form.</summary>
static class GrammarCommand
{
    public static Command Create()
    {
        var model = new Argument<string?>("model") { Description = "Checkpoint folder or file.", Arity = ArgumentArity.ZeroOrOne };
        var repeats = new Option<int>("--repeats") { Description = "Repeats; medians are shown.", DefaultValueFactory = _ => 21 };
        var json = new Option<bool>("--json") { Description = "Print one JSON array." };
        var command = new Command("grammar", "Measures constrained decoding: compile time, and the cost of a token before and after warm-up.") { model, repeats, json };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(repeats) < 1) throw new SettingException("--repeats must be at least 1.");
            using var checkpoint = Checkpoint.Open(parsed.GetValue(model) ?? ModelLoading.DefaultModel() ?? throw new SettingException("Name a model."));
            var tokenizer = CheckpointTokenizer.Load(checkpoint) ?? throw new SettingException($"{checkpoint.Path} has no tokenizer.");
            var costs = new GrammarBench(tokenizer, parsed.GetValue(repeats)).Run();
            if (parsed.GetValue(json))
                Console.WriteLine(JsonSerializer.Serialize(costs.ToList(), BenchJson.Default.ListGrammarCost));
            else
                foreach (var cost in costs)
                    Console.WriteLine($"{cost.Grammar,-28} {cost.Vocabulary,7:N0} tokens  compile {cost.CompileMilliseconds,7:F2} ms  first walk {cost.FirstMicroseconds,7:F1} us a token"
                        + $"  then mask {cost.MaskMicroseconds,5:F2} us (slowest {cost.WorstMaskMicroseconds:F1}), step {cost.StepMicroseconds:F2} us");
            return 0;
        });
        return command;
    }
}
