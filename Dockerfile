# syntax=docker/dockerfile:1
#   docker build -t serving .                     for the CPU
#   docker build --target gpu -t serving:gpu .    for GPUs of NVIDIA's: docker run --gpus all serving:gpu
# SDK and BASE may be any images with the .NET 10 SDK and with the libraries that .NET needs (glibc, libstdc++); CLANG any of Debian's.
ARG SDK=mcr.microsoft.com/dotnet/sdk:10.0
ARG BASE=mcr.microsoft.com/dotnet/runtime-deps:10.0
ARG CLANG=debian:bookworm-slim

FROM ${SDK} AS build
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY src/ src/
# A package configuration of one's own enters as a secret and leaves no trace in the image.
RUN --mount=type=secret,id=nuget,target=/root/.nuget/NuGet/NuGet.Config \
    dotnet publish src/Server -c Release -r linux-x64 --self-contained -o /app \
      -p:PublishReadyToRun=true -p:PublishTrimmed=true -p:DebugType=none -p:GenerateDocumentationFile=false \
 && rm -rf /root/.nuget/packages /source

# The kernels as PTX, which the driver of the GPU compiles where there is no NVRTC.
FROM ${CLANG} AS kernels
RUN apt-get update && apt-get install -y --no-install-recommends clang-19
COPY src/Engine/Devices/Cuda/Kernels/ /source/
RUN mkdir /kernels && cd /source && for source in *.cu; do for sm in sm_80 sm_90; do ./ptx "$source" "$sm" "/kernels/${source%.cu}.$sm.ptx" || exit 1; done; done

FROM ${BASE} AS cpu
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

FROM cpu AS gpu
COPY --from=kernels /kernels/ kernels/
# What NVIDIA's container runtime brings: the devices, and the driver's libraries for computing.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM cpu
