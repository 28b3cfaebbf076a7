using Google.Protobuf;
using Google.Protobuf.Reflection;
using Serving.Protos.Reflection;
using Serving.Server.Grpc.Framing;

namespace Serving.Tests.Grpc;

/// <summary>What a client without .proto files learns.</summary>
public sealed class ReflectionTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    static readonly string[] Services =
        ["serving.v1.Generation", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

    [Theory]
    [InlineData("v1")]
    [InlineData("v1alpha")]
    public async Task Services_are_listed_and_described_to_the_last_import(string version)
    {
        var answers = await AskAsync(version, [new() { ListServices = "" }, .. Services.Select(name => new ServerReflectionRequest { FileContainingSymbol = name })]);
        Assert.Equal(Services, answers[0].ListServicesResponse.Service.Select(service => service.Name));
        foreach (var (name, answer) in Services.Zip(answers.Skip(1)))
        {
            Assert.Equal(name, answer.OriginalRequest.FileContainingSymbol);
            // A file comes before those that it imports; building wants them the other way round.
            var files = FileDescriptor.BuildFromByteStrings(answer.FileDescriptorResponse.FileDescriptorProto.Reverse());
            Assert.Contains(files.SelectMany(file => file.Services), service => service.FullName == name);
        }
    }

    [Fact]
    public async Task Every_kind_of_symbol_leads_to_its_file()
    {
        string[] symbols =
        [
            "serving.v1.Generation.Generate", "serving.v1.GenerateRequest", "serving.v1.Finished.Reason", "serving.v1.GenerateRequest.temperature",
            "grpc.health.v1.HealthCheckResponse.ServingStatus", "google.protobuf.Duration",
        ];
        var answers = await AskAsync("v1", [.. symbols.Select(symbol => new ServerReflectionRequest { FileContainingSymbol = symbol })]);
        Assert.All(answers, answer => Assert.NotEmpty(answer.FileDescriptorResponse.FileDescriptorProto));
        var file = (await AskAsync("v1", new ServerReflectionRequest { FileByFilename = "serving/v1/generation.proto" })).Single();
        Assert.NotEmpty(file.FileDescriptorResponse.FileDescriptorProto);
    }

    [Fact]
    public async Task What_is_not_there_is_an_answer_and_the_stream_goes_on()
    {
        var answers = await AskAsync("v1", new() { FileContainingSymbol = "no.Such" }, new() { FileByFilename = "no.proto" },
            new() { FileContainingExtension = new() { ContainingType = "serving.v1.Chat", ExtensionNumber = 9 } }, new(),
            new() { AllExtensionNumbersOfType = "serving.v1.Chat" });
        Assert.Equal([(int)StatusCode.NotFound, (int)StatusCode.NotFound, (int)StatusCode.NotFound, (int)StatusCode.InvalidArgument],
            answers.Take(4).Select(answer => answer.ErrorResponse.ErrorCode));
        Assert.Equal("serving.v1.Chat", answers[4].AllExtensionNumbersResponse.BaseTypeName);
    }

    async Task<List<ServerReflectionResponse>> AskAsync(string version, params ServerReflectionRequest[] requests) =>
        (await fixture.Server.Grpc.SendAsync($"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            [.. requests.SelectMany(request => GrpcClient.Frame(request.ToByteArray()))])).All<ServerReflectionResponse>();
}
