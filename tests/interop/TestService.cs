using Google.Protobuf;
using Serving.Server.Grpc.Framing;

namespace Serving.Interop;

/// <summary>grpc.testing.TestService, as gRPC's description of its interoperability tests wants it.</summary>
static class TestService
{
    const string EchoInitial = "x-grpc-test-echo-initial", EchoTrailing = "x-grpc-test-echo-trailing-bin";

    public static GrpcService Bound() => new GrpcService(TestReflection.Descriptor.Services[0])
        .Unary<Empty, Empty>("EmptyCall", (_, _) => new(new Empty()))
        .Streaming<SimpleRequest>("UnaryCall", UnaryCallAsync)
        .Streaming<StreamingOutputCallRequest>("StreamingOutputCall", OutputAsync)
        .Duplex<StreamingInputCallRequest>("StreamingInputCall", InputCallAsync)
        .Duplex<StreamingOutputCallRequest>("FullDuplexCall", FullDuplexCallAsync);

    static async Task UnaryCallAsync(SimpleRequest request, GrpcCall call)
    {
        Echo(call);
        CheckCompression(request.ExpectCompressed, call);
        End(request.ResponseStatus);
        await call.WriteAsync(new SimpleResponse { Payload = Zeros(request.ResponseSize) }, request.ResponseCompressed?.Value);
    }

    static async Task OutputAsync(StreamingOutputCallRequest request, GrpcCall call)
    {
        foreach (var parameters in request.ResponseParameters)
        {
            if (parameters.IntervalUs > 0)
                await Task.Delay(TimeSpan.FromMicroseconds(parameters.IntervalUs), call.Cancellation);
            await call.WriteAsync(new StreamingOutputCallResponse { Payload = Zeros(parameters.Size) }, parameters.Compressed?.Value);
            await call.FlushAsync();
        }
        End(request.ResponseStatus);
    }

    static async Task InputCallAsync(IAsyncEnumerable<StreamingInputCallRequest> requests, GrpcCall call)
    {
        var sum = 0;
        await foreach (var request in requests)
        {
            CheckCompression(request.ExpectCompressed, call);
            sum += request.Payload?.Body.Length ?? 0;
        }
        await call.WriteAsync(new StreamingInputCallResponse { AggregatedPayloadSize = sum });
    }

    static async Task FullDuplexCallAsync(IAsyncEnumerable<StreamingOutputCallRequest> requests, GrpcCall call)
    {
        Echo(call);
        await foreach (var request in requests)
            await OutputAsync(request, call);
    }

    static Payload Zeros(int size) => new() { Body = UnsafeByteOperations.UnsafeWrap(new byte[size]) };

    static void CheckCompression(BoolValue? expected, GrpcCall call)
    {
        if (expected is not null && expected.Value != call.WasCompressed)
            throw new GrpcException(StatusCode.InvalidArgument, $"The request was {(call.WasCompressed ? "" : "not ")}compressed.");
    }

    static void End(EchoStatus? status)
    {
        if (status is not null && status.Code != 0)
            throw new GrpcException((StatusCode)status.Code, status.Message);
    }

    static void Echo(GrpcCall call)
    {
        var headers = call.Http.Request.Headers;
        if (headers.TryGetValue(EchoInitial, out var initial))
            call.Http.Response.Headers[EchoInitial] = initial;
        if (headers.TryGetValue(EchoTrailing, out var trailing))
            call.AddTrailer(EchoTrailing, trailing.ToString());
    }
}
