using System.Net;
using Serving.Interop;
using Serving.Server;
using Serving.Server.Grpc;
using Serving.Server.Grpc.Framing;
using Serving.Server.Http;

// The interoperability service of gRPC on the server's own framing, for other people's clients; prints its address.
var builder = WebApplication.CreateEmptyBuilder(new());
builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => new SharedPort(TimeProvider.System).Listen(kestrel, new(IPAddress.Loopback, 0)));
ServerApp.AddFraming(builder.Services, new() { Model = "none" }, TimeProvider.System);
await using var app = builder.Build();
app.Use(next => ActivatorUtilities.CreateInstance<RequestPipeline>(app.Services, next).InvokeAsync);
var service = TestService.Bound();
app.Services.GetRequiredService<GrpcEndpoints>().Map(app, [service, .. new ReflectionService([service.Descriptor, .. ReflectionService.Descriptors]).Bound()]);
await app.StartAsync();
Console.WriteLine($"Interop at {app.Urls.First()}");
await app.WaitForShutdownAsync();
