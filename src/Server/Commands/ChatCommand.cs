using System.CommandLine;
using System.Diagnostics;
using Microsoft.Extensions.AI;
using Serving.Server.Embedding;

namespace Serving.Server.Commands;

/// <summary>chat: a conversation in the terminal with a model in this process.</summary>
static class ChatCommand
{
    public static Command Create()
    {
        var model = new Argument<string?>("model") { Description = "Checkpoint folder or file; the model that comes with the program when left out.", Arity = ArgumentArity.ZeroOrOne };
        var system = new Option<string?>("--system") { Description = "System message.", HelpName = "text" };
        var sampling = new SamplingFlags();
        var command = new Command("chat", "Talks with a model in the terminal. An empty line ends it, /clear begins anew.") { model, system };
        sampling.AddTo(command);
        SettingOptions.AddTo(command, Settings.OfEngine);
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var client = ModelLoading.Client(parsed.GetValue(model), parsed);
            var options = sampling.Chat(parsed);
            options.Instructions = parsed.GetValue(system);
            await TalkAsync(client, options, Console.In, Console.Out, cancellation);
            return 0;
        });
        return command;
    }

    /// <summary>Answers each line, with all lines before it, until one is empty or there are no more.</summary>
    public static async Task TalkAsync(IChatClient client, ChatOptions options, TextReader input, TextWriter output, CancellationToken cancellation)
    {
        var messages = new List<Microsoft.Extensions.AI.ChatMessage>();
        while (true)
        {
            await output.WriteAsync("> ");
            await output.FlushAsync(cancellation);
            if (await input.ReadLineAsync(cancellation) is not { Length: > 0 } line)
                return;
            if (line == "/clear")
            {
                messages.Clear();
                continue;
            }
            messages.Add(new(ChatRole.User, line));
            try
            {
                messages.AddMessages(await AnswerAsync(client, messages, options, output, cancellation));
            }
            catch (ArgumentException refusal)
            {
                messages.RemoveAt(messages.Count - 1);
                await output.WriteLineAsync(refusal.Message);
            }
        }
    }

    static async Task<ChatResponse> AnswerAsync(
        IChatClient client, List<Microsoft.Extensions.AI.ChatMessage> messages, ChatOptions options, TextWriter output, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        TimeSpan? first = null;
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in client.GetStreamingResponseAsync(messages, options, cancellation))
        {
            updates.Add(update);
            if (update.Text.Length == 0)
                continue;
            first ??= Stopwatch.GetElapsedTime(started);
            await output.WriteAsync(update.Text);
            await output.FlushAsync(cancellation);
        }
        var response = updates.ToChatResponse();
        var (tokens, decoding) = (response.Usage?.OutputTokenCount ?? 0, Stopwatch.GetElapsedTime(started) - (first ?? default));
        await output.WriteLineAsync();
        await output.WriteLineAsync($"[{tokens} tokens, the first after {first?.TotalMilliseconds ?? 0:F0} ms"
            + (tokens > 1 ? $", then {(tokens - 1) / decoding.TotalSeconds:F0} a second]" : "]"));
        return response;
    }
}
