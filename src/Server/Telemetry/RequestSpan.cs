using System.Diagnostics;
using Serving.Scheduling;
using Serving.Server.Http;
using Serving.Server.OpenAi;

namespace Serving.Server.Telemetry;

/// <summary>
/// The span of one request, with the attributes that OpenTelemetry's conventions for generative AI give it; costs nothing where nobody listens.
/// A caller's <c>traceparent</c> (W3C Trace Context) is its parent.
/// </summary>
sealed class RequestSpan : IDisposable
{
    public const string SourceName = "Serving.Server";

    static readonly ActivitySource Source = new(SourceName, ServerVersion.Text);

    readonly Activity? _activity;
    readonly TimeProvider _time;
    readonly long _began;
    TextRun? _run;

    RequestSpan(HttpContext http, string operation, TimeProvider time)
    {
        (_time, _began) = (time, time.GetTimestamp());
        if (!Source.HasListeners())
            return;
        // The web framework's own activity is not exported: as a parent it would keep this span from being sampled.
        var around = Activity.Current;
        Activity.Current = null;
        _ = ActivityContext.TryParse(http.Request.Headers.TraceParent, http.Request.Headers.TraceState, isRemote: true, out var caller);
        _activity = Source.StartActivity(operation, ActivityKind.Server, caller);
        Activity.Current = around;
        _activity?.SetTag("gen_ai.operation.name", operation).SetTag("gen_ai.provider.name", "serving").SetTag("serving.request.id", http.TraceIdentifier);
    }

    /// <summary>Answers a request within a span of its own; what it ends with is noted.</summary>
    public static async Task AroundAsync(HttpContext http, string operation, TimeProvider time, Func<RequestSpan, Task> answer)
    {
        using var span = new RequestSpan(http, operation, time);
        try
        {
            await answer(span);
        }
        catch (Exception error)
        {
            span.Failed(error);
            throw;
        }
    }

    /// <summary>What is asked.</summary>
    public void Asks(string model, GenerationRequest request)
    {
        if (_activity is null)
            return;
        _activity.DisplayName = $"{_activity.OperationName} {model}";
        _activity.SetTag("gen_ai.request.model", model).SetTag("gen_ai.response.model", model).SetTag("gen_ai.request.max_tokens", request.MaxTokens);
        if (request.Pooling != Pooling.None)
            return;
        _activity.SetTag("gen_ai.request.temperature", request.Sampling.Temperature).SetTag("gen_ai.request.top_p", request.Sampling.TopP)
            .SetTag("gen_ai.request.seed", request.Sampling.Seed).SetTag("gen_ai.request.choice.count", request.Choices);
    }

    /// <summary>Whose tokens are counted at the end.</summary>
    public TextRun Follow(TextRun run, string id)
    {
        _activity?.SetTag("gen_ai.response.id", id);
        run.FirstToken = () => _activity?.SetTag("gen_ai.server.time_to_first_token", _time.GetElapsedTime(_began).TotalSeconds);
        return _run = run;
    }

    /// <summary>Tokens of a request that generates none.</summary>
    public void Read(int tokens) => _activity?.SetTag("gen_ai.usage.input_tokens", tokens);

    public void Dispose()
    {
        if (_activity is not null && _run is { } run)
        {
            _activity.SetTag("gen_ai.usage.input_tokens", run.Usage.PromptTokens).SetTag("gen_ai.usage.output_tokens", run.Usage.CompletionTokens)
                .SetTag("gen_ai.usage.cache_read.input_tokens", run.Usage.CachedTokens)
                .SetTag("gen_ai.response.finish_reasons", run.FinishReasons.Select(reason => reason ?? "cancelled").ToArray());
            if (run.FinishReasons.Contains(null) && _activity.GetTagItem("error.type") is null)
                Failed("cancelled", null);
        }
        _activity?.Dispose();
    }

    void Failed(Exception error) => Failed(error is ApiException refusal ? refusal.Error.Code ?? $"{refusal.Error.Status}" : error.GetType().FullName!, error.Message);

    void Failed(string type, string? message) => _activity?.SetTag("error.type", type).SetStatus(ActivityStatusCode.Error, message);
}
