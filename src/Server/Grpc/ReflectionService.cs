using System.Collections.Immutable;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Serving.Protos.Reflection;
using Serving.Server.Grpc.Framing;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Serving.Server.Grpc;

/// <summary>grpc.reflection.v1 and v1alpha, which differ in name alone: what is served, for clients that have no .proto files.</summary>
/// <param name="services">What is told of.</param>
sealed class ReflectionService(ImmutableArray<ServiceDescriptor> services)
{
    /// <summary>The two services.</summary>
    public static ImmutableArray<ServiceDescriptor> Descriptors { get; } =
        [ReflectionReflection.Descriptor.Services[0], Protos.ReflectionAlpha.ReflectionReflection.Descriptor.Services[0]];

    readonly Dictionary<string, FileDescriptor> _files = services.SelectMany(service => WithImports(service.File)).Distinct().ToDictionary(file => file.Name);

    public IEnumerable<GrpcService> Bound() => Descriptors.Select(descriptor =>
        new GrpcService(descriptor).Duplex<ServerReflectionRequest>("ServerReflectionInfo", AnswerAsync));

    async Task AnswerAsync(IAsyncEnumerable<ServerReflectionRequest> requests, GrpcCall call)
    {
        await foreach (var request in requests)
        {
            var reply = Answer(request);
            (reply.ValidHost, reply.OriginalRequest) = (request.Host, request);
            await call.WriteAsync(reply);
            await call.FlushAsync();
        }
    }

    ServerReflectionResponse Answer(ServerReflectionRequest request) => request.MessageRequestCase switch
    {
        ServerReflectionRequest.MessageRequestOneofCase.ListServices => new()
        {
            ListServicesResponse = new() { Service = { services.Select(service => new ServiceResponse { Name = service.FullName }) } },
        },
        ServerReflectionRequest.MessageRequestOneofCase.FileByFilename => Files(_files.GetValueOrDefault(request.FileByFilename)),
        ServerReflectionRequest.MessageRequestOneofCase.FileContainingSymbol => Files(_files.Values.FirstOrDefault(f => Declares(f, request.FileContainingSymbol))),
        ServerReflectionRequest.MessageRequestOneofCase.AllExtensionNumbersOfType when IsMessage(request.AllExtensionNumbersOfType) => new()
        {
            AllExtensionNumbersResponse = new() { BaseTypeName = request.AllExtensionNumbersOfType },
        },
        ServerReflectionRequest.MessageRequestOneofCase.None => Refused(StatusCode.InvalidArgument, "The request asks for nothing."),
        _ => Files(null),
    };

    bool IsMessage(string name) => _files.Values.Any(file => Nested(file.MessageTypes).Any(message => message.FullName == name));

    static ServerReflectionResponse Files(FileDescriptor? file) => file is null
        ? Refused(StatusCode.NotFound, "Nothing of that name is served here.")
        : new() { FileDescriptorResponse = new() { FileDescriptorProto = { WithImports(file).Select(f => f.SerializedData) } } };

    static ServerReflectionResponse Refused(StatusCode code, string message) => new() { ErrorResponse = new() { ErrorCode = (int)code, ErrorMessage = message } };

    static IEnumerable<FileDescriptor> WithImports(FileDescriptor file) => file.Dependencies.SelectMany(WithImports).Prepend(file).Distinct();

    static IEnumerable<MessageDescriptor> Nested(IEnumerable<MessageDescriptor> messages) => messages.SelectMany(m => Nested(m.NestedTypes).Prepend(m));

    static bool Declares(FileDescriptor file, string symbol)
    {
        var messages = Nested(file.MessageTypes).ToList();
        return messages.Concat<IDescriptor>(messages.SelectMany(m => m.EnumTypes)).Concat(messages.SelectMany(m => m.Fields.InDeclarationOrder()))
            .Concat(file.EnumTypes).Concat(file.Services).Concat(file.Services.SelectMany(s => s.Methods)).Any(d => d.FullName == symbol);
    }
}
