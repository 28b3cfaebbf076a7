# syntax=docker/dockerfile:1
# SDK and BASE may be any images with the .NET 10 SDK and with the libraries that .NET needs (glibc, libstdc++).
ARG SDK=mcr.microsoft.com/dotnet/sdk:10.0
ARG BASE=mcr.microsoft.com/dotnet/runtime-deps:10.0

FROM ${SDK} AS build
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY src/ src/
# A package configuration of one's own enters as a secret and leaves no trace in the image.
RUN --mount=type=secret,id=nuget,target=/root/.nuget/NuGet/NuGet.Config \
    dotnet publish src/Server -c Release -r linux-x64 --self-contained -o /app \
      -p:PublishReadyToRun=true -p:PublishTrimmed=true -p:DebugType=none -p:GenerateDocumentationFile=false \
 && rm -rf /root/.nuget/packages /source

FROM ${BASE}
WORKDIR /app
COPY --from=build /app ./
COPY models/ models/
# 1654 is the user that .NET's own images run as; the program writes nothing, so the root file system can be read-only.
USER 1654
EXPOSE 8080
ENV DOTNET_EnableDiagnostics=0 SERVING_HOST=0.0.0.0
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/app/serving", "health"]
ENTRYPOINT ["/app/serving"]
CMD ["serve"]
