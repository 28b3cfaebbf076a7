using Google.Protobuf;
using Google.Protobuf.Reflection;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Serving.Server.Grpc.Framing;

/// <summary>A service as its .proto declares it, with what answers each method.</summary>
sealed class GrpcService(ServiceDescriptor descriptor)
{
    readonly Dictionary<string, Func<GrpcCall, Task>> _methods = [];

    public ServiceDescriptor Descriptor => descriptor;

    /// <summary>The methods by name; throws where one has no answer.</summary>
    public IReadOnlyDictionary<string, Func<GrpcCall, Task>> Methods =>
        descriptor.Methods.FirstOrDefault(method => !_methods.ContainsKey(method.Name)) is { } open
            ? throw new InvalidOperationException($"Nothing answers {open.FullName}.")
            : _methods;

    /// <summary>Binds a method of one request and one reply.</summary>
    public GrpcService Unary<TRequest, TReply>(string method, Func<TRequest, GrpcCall, ValueTask<TReply>> answer)
        where TRequest : class, IMessage<TRequest>, new()
        where TReply : IMessage<TReply> =>
        Streaming<TRequest>(method, async (request, call) => await call.WriteAsync(await answer(request, call)));

    /// <summary>Binds a method of one request, which writes its replies itself.</summary>
    public GrpcService Streaming<TRequest>(string method, Func<TRequest, GrpcCall, Task> answer) where TRequest : class, IMessage<TRequest>, new() =>
        Bind(method, async call => await answer(await call.ReadOnlyAsync(Parser<TRequest>()), call));

    /// <summary>Binds a method of many requests, which writes its replies itself.</summary>
    public GrpcService Duplex<TRequest>(string method, Func<IAsyncEnumerable<TRequest>, GrpcCall, Task> answer)
        where TRequest : class, IMessage<TRequest>, new() =>
        Bind(method, call => answer(call.ReadAllAsync(Parser<TRequest>()), call));

    GrpcService Bind(string method, Func<GrpcCall, Task> answer)
    {
        _methods.Add(descriptor.FindMethodByName(method).Name, answer);
        return this;
    }

    static MessageParser<T> Parser<T>() where T : IMessage<T>, new() => new(() => new());
}
