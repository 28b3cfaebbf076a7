return await Serving.Server.Commands.CommandLine.RunAsync(args);
