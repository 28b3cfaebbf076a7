// The gRPC client of Connect against the embedded model: another implementation of HTTP/2 framing, protobuf and errors.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { compressionGzip, createGrpcTransport } from "@connectrpc/connect-node";
import grpc from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { failure, reflect } from "./grpc/definitions.mjs";
import { run } from "./suite.mjs";

const url = process.argv[2];
const { registry } = await reflect(url.replace("http://", ""), grpc.credentials.createInsecure());
const transport = createGrpcTransport({ baseUrl: url });
const packing = createGrpcTransport({ baseUrl: url, compressMinBytes: 0, sendCompression: compressionGzip });
const client = createClient(registry.getService("serving.v1.Generation"), transport);
const health = createClient(registry.getService("grpc.health.v1.Health"), transport);
const model = "smollm2-135m-instruct-mfa";
const chat = (content) => ({ model, temperature: 0, input: { case: "chat", value: { messages: [{ role: "user", content }] } } });
const endless = { model, temperature: 0, input: { case: "prompt", value: "Once upon a time" }, maxTokens: 1500, ignoreEos: true };
const answer = "1. Banana\n2. Apple\n3. Grapefruit";

async function all(stream) {
  const replies = [];
  for await (const reply of stream) replies.push(reply.event);
  return replies;
}
const text = (events) => events.map((e) => (e.case === "piece" ? e.value.text : "")).join("");
const code = async (promise) => ConnectError.from(await failure(promise)).code;

await run({
  async "a conversation is streamed"() {
    const events = await all(client.generate(chat("List three fruits.")));
    assert.equal(text(events), answer);
    assert.deepEqual([events[0].case, events.at(-1).case], ["started", "summary"]);
    assert.ok(events.at(-1).value.usage.completionTokens > 10);
  },
  async "tokens are counted and spelled, compressed both ways"() {
    const packed = createClient(registry.getService("serving.v1.Generation"), packing);
    const { tokens } = await packed.tokenize({ input: { case: "prompt", value: "word ".repeat(2000) } });
    assert.ok(tokens.length > 1999);
    assert.equal((await packed.detokenize({ tokens })).prompt, "word ".repeat(2000));
  },
  async "a deadline ends the generation"() {
    assert.equal(await code(all(client.generate(endless, { timeoutMs: 300 }))), Code.DeadlineExceeded);
  },
  async "leaving a stream ends it"() {
    const leaving = new AbortController();
    const reading = (async () => {
      for await (const reply of client.generate(endless, { signal: leaving.signal })) if (reply.event.case === "piece") leaving.abort();
    })();
    assert.equal(await code(reading), Code.Canceled);
  },
  async "an error carries its details as messages"() {
    const error = ConnectError.from(await failure(all(client.generate({ ...chat("x"), temperature: 3 }))));
    assert.equal(error.code, Code.InvalidArgument);
    const types = error.details.map((d) => d.type);
    assert.deepEqual(types, ["google.rpc.ErrorInfo", "google.rpc.BadRequest"]);
    assert.match(Buffer.from(error.details[1].value).toString("latin1"), /temperature/);
    assert.equal(await code(all(client.generate({ ...chat("x"), model: "nobody" }))), Code.NotFound);
  },
  async "an unknown method is unimplemented"() {
    const service = registry.getService("serving.v1.Generation");
    const unknown = transport.unary({ ...service.method.models, parent: { ...service, typeName: "serving.v1.Nothing" } }, undefined, undefined, undefined, {});
    assert.equal(await code(unknown), Code.Unimplemented);
  },
  async "health is served, and watched"() {
    assert.equal((await health.check({})).status, 1);
    for await (const { status } of health.watch({})) {
      assert.equal(status, 1);
      break;
    }
  },
});
process.exit();
