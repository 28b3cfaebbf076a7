// The interoperability tests of gRPC that apply to a server, by the names they have there, with the official client for JavaScript.
import grpc from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { all, failure, reflect, unary, start } from "./grpc/definitions.mjs";
import { run } from "./suite.mjs";

const { url, server } = await start("Interop/release/Interop", [], /^Interop at (http\S*)$/m);
const address = url.replace("http://", "");
const credentials = grpc.credentials.createInsecure();
const { packages, services } = await reflect(address, credentials);
const { TestService } = packages.grpc.testing;
const client = new TestService(address, credentials);
const packing = new TestService(address, credentials, { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip });
const payload = (size) => ({ body: Buffer.alloc(size) });
const sizes = (messages) => messages.map((m) => m.payload.body.length);

await run({
  async reflection_lists_the_service() {
    assert.ok(services.includes("grpc.testing.TestService"));
  },
  async empty_unary() {
    assert.deepEqual(await unary(client, "EmptyCall", {}), {});
  },
  async large_unary() {
    const reply = await unary(client, "UnaryCall", { response_size: 314159, payload: payload(271828) });
    assert.equal(reply.payload.body.length, 314159);
  },
  async client_compressed_unary() {
    const uncompressed = { response_size: 314159, expect_compressed: { value: true }, payload: payload(271828) };
    assert.equal((await failure(unary(client, "UnaryCall", uncompressed))).code, grpc.status.INVALID_ARGUMENT);
    assert.equal((await unary(packing, "UnaryCall", uncompressed)).payload.body.length, 314159);
    const plain = await unary(client, "UnaryCall", { ...uncompressed, expect_compressed: { value: false } });
    assert.equal(plain.payload.body.length, 314159);
  },
  async server_compressed_unary() {
    for (const value of [true, false]) {
      const reply = await unary(client, "UnaryCall", { response_size: 314159, response_compressed: { value }, payload: payload(271828) });
      assert.equal(reply.payload.body.length, 314159);
    }
  },
  async client_streaming() {
    const sum = await new Promise((done, fail) => {
      const call = client.StreamingInputCall((error, reply) => (error ? fail(error) : done(reply.aggregated_payload_size)));
      for (const size of [27182, 8, 1828, 45904]) call.write({ payload: payload(size) });
      call.end();
    });
    assert.equal(sum, 74922);
  },
  async server_streaming() {
    const messages = await all(client.StreamingOutputCall({ response_parameters: [31415, 9, 2653, 58979].map((size) => ({ size })) }));
    assert.deepEqual(sizes(messages), [31415, 9, 2653, 58979]);
  },
  async server_compressed_streaming() {
    const messages = await all(client.StreamingOutputCall({
      response_parameters: [{ compressed: { value: true }, size: 31415 }, { compressed: { value: false }, size: 92653 }] }));
    assert.deepEqual(sizes(messages), [31415, 92653]);
  },
  async ping_pong() {
    const call = client.FullDuplexCall();
    const replies = call[Symbol.asyncIterator]();
    for (const [asked, sent] of [[31415, 27182], [9, 8], [2653, 1828], [58979, 45904]]) {
      call.write({ response_parameters: [{ size: asked }], payload: payload(sent) });
      assert.equal((await replies.next()).value.payload.body.length, asked);
    }
    call.end();
    assert.ok((await replies.next()).done);
  },
  async empty_stream() {
    const call = client.FullDuplexCall();
    call.end();
    assert.deepEqual(await all(call), []);
  },
  async custom_metadata() {
    const metadata = new grpc.Metadata();
    metadata.set("x-grpc-test-echo-initial", "test_initial_metadata_value");
    metadata.set("x-grpc-test-echo-trailing-bin", Buffer.from([0xab, 0xab, 0xab]));
    const call = client.FullDuplexCall(metadata);
    const got = {};
    call.on("metadata", (m) => (got.initial = m.get("x-grpc-test-echo-initial")));
    call.on("status", (s) => (got.trailing = s.metadata.get("x-grpc-test-echo-trailing-bin")));
    call.write({ response_parameters: [{ size: 314159 }], payload: payload(271828) });
    call.end();
    await all(call);
    await new Promise(setImmediate);
    assert.deepEqual(got, { initial: ["test_initial_metadata_value"], trailing: [Buffer.from([0xab, 0xab, 0xab])] });
  },
  async status_code_and_message() {
    const status = { code: 2, message: "test status message" };
    const whole = await failure(unary(client, "UnaryCall", { response_status: status }));
    assert.deepEqual([whole.code, whole.details], [2, status.message]);
    const call = client.FullDuplexCall();
    call.write({ response_status: status });
    call.end();
    const streamed = await failure(all(call));
    assert.deepEqual([streamed.code, streamed.details], [2, status.message]);
  },
  async special_status_message() {
    const message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP \u{1F608}\t\n";
    const error = await failure(unary(client, "UnaryCall", { response_status: { code: 2, message } }));
    assert.deepEqual([error.code, error.details], [2, message]);
  },
  async unimplemented_method() {
    const Other = grpc.makeGenericClientConstructor({ UnimplementedCall: { ...TestService.service.EmptyCall, path: "/grpc.testing.TestService/UnimplementedCall" } });
    assert.equal((await failure(unary(new Other(address, credentials), "UnimplementedCall", {}))).code, grpc.status.UNIMPLEMENTED);
  },
  async unimplemented_service() {
    const Other = grpc.makeGenericClientConstructor({ UnimplementedCall: { ...TestService.service.EmptyCall, path: "/grpc.testing.UnimplementedService/UnimplementedCall" } });
    assert.equal((await failure(unary(new Other(address, credentials), "UnimplementedCall", {}))).code, grpc.status.UNIMPLEMENTED);
  },
  async cancel_after_begin() {
    const cancelled = new Promise((done) => {
      const call = client.StreamingInputCall((error) => done(error.code));
      call.cancel();
    });
    assert.equal(await cancelled, grpc.status.CANCELLED);
  },
  async cancel_after_first_response() {
    const call = client.FullDuplexCall();
    const error = failure(new Promise((_, fail) => {
      call.on("error", fail);
      call.on("data", () => call.cancel());
    }));
    call.write({ response_parameters: [{ size: 31415 }], payload: payload(27182) });
    assert.equal((await error).code, grpc.status.CANCELLED);
  },
  async timeout_on_sleeping_server() {
    const call = client.FullDuplexCall(new grpc.Metadata(), { deadline: Date.now() + 1 });
    call.on("error", () => {});
    call.write({ payload: payload(27182), response_parameters: [{ size: 1, interval_us: 10_000_000 }] });
    assert.equal((await failure(all(call))).code, grpc.status.DEADLINE_EXCEEDED);
  },
});
server.kill();
process.exit();
