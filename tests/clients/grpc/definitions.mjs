// What a server says of itself through reflection, as each client wants it.
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createFileRegistry, fromBinary, create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

// The least that reflection needs to be called with; everything else comes from the server.
const reflection = (version) => loader.fromJSON({
  nested: { grpc: { nested: { reflection: { nested: { [version]: { nested: {
    ServerReflection: { methods: { ServerReflectionInfo: {
      requestType: "ServerReflectionRequest", requestStream: true, responseType: "ServerReflectionResponse", responseStream: true } } },
    ServerReflectionRequest: { oneofs: { message_request: { oneof: ["file_containing_symbol", "list_services"] } },
      fields: { file_containing_symbol: { type: "string", id: 4 }, list_services: { type: "string", id: 7 } } },
    ServerReflectionResponse: { fields: { file_descriptor_response: { type: "FileDescriptorResponse", id: 4 },
      list_services_response: { type: "ListServiceResponse", id: 6 }, error_response: { type: "ErrorResponse", id: 7 } } },
    FileDescriptorResponse: { fields: { file_descriptor_proto: { rule: "repeated", type: "bytes", id: 1 } } },
    ListServiceResponse: { fields: { service: { rule: "repeated", type: "ServiceResponse", id: 1 } } },
    ServiceResponse: { fields: { name: { type: "string", id: 1 } } },
    ErrorResponse: { fields: { error_code: { type: "int32", id: 1 }, error_message: { type: "string", id: 2 } } },
  } } } } } } },
}, { keepCase: true });

/** Names of the services, and a registry of all their files. */
export async function reflect(address, credentials, version = "v1") {
  const { ServerReflection } = grpc.loadPackageDefinition(reflection(version)).grpc.reflection[version];
  const client = new ServerReflection(address, credentials);
  const call = client.ServerReflectionInfo();
  const answers = call[Symbol.asyncIterator]();
  const ask = async (request) => {
    call.write(request);
    return (await answers.next()).value;
  };
  const services = (await ask({ list_services: "*" })).list_services_response.service.map((s) => s.name);
  const files = new Map();
  for (const name of services) {
    for (const bytes of (await ask({ file_containing_symbol: name })).file_descriptor_response.file_descriptor_proto) {
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      files.set(file.name, file);
    }
  }
  const missing = await ask({ file_containing_symbol: "no.Such" });
  call.end();
  for await (const _ of answers);
  client.close();
  const ordered = [];
  const visit = (file) => {
    file.dependency.forEach((name) => visit(files.get(name)));
    if (!ordered.includes(file)) ordered.push(file);
  };
  files.forEach(visit);
  const set = create(FileDescriptorSetSchema, { file: ordered });
  const definition = loader.loadFileDescriptorSetFromBuffer(Buffer.from(toBinary(FileDescriptorSetSchema, set)), { keepCase: true, longs: String, enums: String, oneofs: true, defaults: true });
  return { services, missing, registry: createFileRegistry(set), packages: grpc.loadPackageDefinition(definition) };
}

/** Calls a unary method of a grpc-js client. */
export const unary = (client, method, request, metadata = new grpc.Metadata(), options = {}) =>
  new Promise((done, fail) => client[method](request, metadata, options, (error, reply) => (error ? fail(error) : done(reply))));

/** All messages of a stream. */
export async function all(call) {
  const messages = [];
  for await (const message of call) messages.push(message);
  return messages;
}

/** The code and message that a call fails with. */
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("The call did not fail.");
}

/** Starts one of this repository's programs and finds its address, the first group of a pattern, in what it prints. */
export async function start(program, args, pattern) {
  const server = spawn(fileURLToPath(new URL(`../../../artifacts/bin/${program}`, import.meta.url)), args);
  server.stderr.pipe(process.stderr);
  const exited = new Promise((done) => server.on("exit", (code, signal) => done(code ?? signal)));
  const found = new Promise((done) => {
    let said = "";
    server.stdout.on("data", (data) => {
      const match = pattern.exec((said += data));
      if (match) done(match[1]);
    });
  });
  const url = await Promise.race([found, exited.then((code) => Promise.reject(new Error(`${program} ended with ${code}.`)))]);
  return { url, server, exited };
}
