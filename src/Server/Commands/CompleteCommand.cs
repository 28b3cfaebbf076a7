using System.CommandLine;
using System.Text.Json;
using Serving.Server.Http;
using Serving.Server.OpenAi;

namespace Serving.Server.Commands;

/// <summary>complete: goes on with a text, from an argument or from standard input, with a model in this process.</summary>
static class CompleteCommand
{
    public static Command Create()
    {
        var prompt = new Argument<string?>("prompt") { Description = "Text to go on with; standard input when left out.", Arity = ArgumentArity.ZeroOrOne };
        var sampling = new SamplingFlags();
        var command = new Command("complete", "Goes on with a text.") { prompt };
        sampling.AddTo(command);
        SettingOptions.AddTo(command, [Settings.Model, .. Settings.OfEngine]);
        command.SetAction(async (parsed, cancellation) =>
        {
            var text = parsed.GetValue(prompt) ?? await Console.In.ReadToEndAsync(cancellation);
            await using var served = ModelLoading.Load(null, parsed);
            await WriteAsync(served, sampling.Completion(parsed, served.Ids[0], text), Console.Out, cancellation);
            return 0;
        });
        return command;
    }

    /// <summary>Writes the continuation as it comes; a request that is refused is a <see cref="SettingException"/>.</summary>
    public static async Task WriteAsync(ServedModel model, byte[] body, TextWriter output, CancellationToken cancellation)
    {
        using var json = JsonDocument.Parse(body);
        try
        {
            var request = CompletionRequest.Read(new RequestReader(json.RootElement, ""), model, new ServerOptions { Model = model.Ids[0] });
            using var run = new TextRun(model, request.Generations, request.Fields, cancellation);
            await foreach (var delta in run.ReadAsync(cancellation))
            {
                await output.WriteAsync(delta.Piece.Text);
                await output.FlushAsync(cancellation);
            }
            await output.WriteLineAsync();
        }
        catch (ApiException refusal)
        {
            throw new SettingException(refusal.Error.Message);
        }
    }
}
