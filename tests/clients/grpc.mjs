// The official gRPC client for JavaScript against the embedded model; what it knows of the services comes from reflection.
import grpc from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { all, failure, reflect, unary } from "./grpc/definitions.mjs";
import { run } from "./suite.mjs";

const url = process.argv[2];
const address = url.replace("http://", "");
const credentials = grpc.credentials.createInsecure();
const { services, missing, packages } = await reflect(address, credentials);
const client = new packages.serving.v1.Generation(address, credentials);
const health = new packages.grpc.health.v1.Health(address, credentials);
const model = "smollm2-135m-instruct-mfa";
const chat = (content) => ({ model, temperature: 0, chat: { messages: [{ role: "user", content }] } });
const answer = "1. Banana\n2. Apple\n3. Grapefruit";
const text = (replies) => replies.map((r) => r.piece?.text ?? "").join("");
const endless = { model, temperature: 0, prompt: "Once upon a time", max_tokens: 1500, ignore_eos: true };
const held = async () => Number(/^serving_cache_pages\{state="held"\} (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())[1]);
const released = async () => {
  for (let i = 0; i < 200 && (await held()) > 0; i++) await new Promise((done) => setTimeout(done, 50));
  assert.equal(await held(), 0);
};

await run({
  async "reflection lists every service, in both versions, and misses what is not there"() {
    const expected = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", "serving.v1.Generation"];
    assert.deepEqual(services.toSorted(), expected);
    assert.deepEqual((await reflect(address, credentials, "v1alpha")).services.toSorted(), expected);
    assert.equal(missing.error_response.error_code, grpc.status.NOT_FOUND);
  },
  async "a conversation is streamed, with usage and timings at the end"() {
    const replies = await all(client.Generate(chat("List three fruits.")));
    assert.equal(text(replies), answer);
    assert.equal(replies[0].event, "started");
    assert.equal(replies.at(-2).finished.reason, "STOP");
    const { usage, timings } = replies.at(-1).summary;
    assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
    assert.ok(timings.total.nanos > 0 || timings.total.seconds > 0);
  },
  async "HTTP says the same"() {
    const reply = await (await fetch(`${url}/v1/chat/completions`, { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ model, temperature: 0, messages: [{ role: "user", content: "Why is the sky blue?" }], max_tokens: 60 }) })).json();
    assert.equal(text(await all(client.Generate({ ...chat("Why is the sky blue?"), max_tokens: 60 }))), reply.choices[0].message.content);
  },
  async "a second turn goes on from the first"() {
    const first = { role: "user", content: `Here is a list: ${"apples, pears, plums, ".repeat(20)}. What is it about?` };
    const said = text(await all(client.Generate({ model, temperature: 0, max_tokens: 20, chat: { messages: [first] } })));
    const turns = [first, { role: "assistant", content: said }, { role: "user", content: "Name one more." }];
    const replies = await all(client.Generate({ model, temperature: 0, max_tokens: 20, chat: { messages: turns } }));
    assert.ok(text(replies).length > 0);
    assert.ok(replies[0].started.cached_tokens >= 64, "the first turn was not found in the cache");
  },
  async "tokens go in and come out, with logprobs"() {
    const { tokens } = await unary(client, "Tokenize", { prompt: "The capital of France is" });
    const replies = await all(client.Generate({ model, prompt_token_ids: { ids: tokens }, max_tokens: 4, temperature: 0, logprobs: 2 }));
    const sampled = replies.flatMap((r) => r.piece?.tokens ?? []);
    assert.equal(sampled.length, 4);
    assert.equal(sampled[0].top_logprobs.length, 2);
    assert.equal(Buffer.concat(sampled.map((t) => t.bytes)).toString(), text(replies));
    assert.equal((await unary(client, "Detokenize", { tokens: sampled.map((t) => t.id) })).prompt, text(replies));
  },
  async "sixty-four streams on one connection say what one says"() {
    const streams = await Promise.all(Array.from({ length: 64 }, () => all(client.Generate(chat("List three fruits.")))));
    for (const replies of streams) assert.equal(text(replies), answer);
  },
  async "the models are listed"() {
    const { models } = await unary(client, "Models", {});
    assert.deepEqual(models.map((m) => m.id), [model]);
  },
  async "a deadline ends the generation"() {
    const error = await failure(all(client.Generate(endless, new grpc.Metadata(), { deadline: Date.now() + 300 })));
    assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED);
    await released();
  },
  async "leaving a stream ends the generation"() {
    const call = client.Generate(endless);
    const error = await failure((async () => {
      for await (const reply of call) if (reply.piece) call.cancel();
    })());
    assert.equal(error.code, grpc.status.CANCELLED);
    await released();
  },
  async "refusals have codes and details"() {
    const bad = await failure(all(client.Generate({ ...chat("x"), temperature: 3 })));
    assert.equal(bad.code, grpc.status.INVALID_ARGUMENT);
    assert.match(bad.details, /'temperature' is 3; it must be at most 2/);
    assert.match(Buffer.from(bad.metadata.get("grpc-status-details-bin")[0]).toString("latin1"), /google\.rpc\.BadRequest.*temperature/s);
    assert.equal((await failure(all(client.Generate({ ...chat("x"), model: "nobody" })))).code, grpc.status.NOT_FOUND);
  },
  async "a compressed request is read, and a large reply compressed"() {
    const packing = new packages.serving.v1.Generation(address, credentials, { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip });
    const { tokens } = await unary(packing, "Tokenize", { prompt: "word ".repeat(2000) });
    assert.ok(tokens.length > 1999);
    packing.close();
  },
  async "health is served, and watched"() {
    assert.equal((await unary(health, "Check", { service: "serving.v1.Generation" })).status, "SERVING");
    assert.equal((await failure(unary(health, "Check", { service: "no.Such" }))).code, grpc.status.NOT_FOUND);
    const watch = health.Watch({ service: "" });
    for await (const { status } of watch) {
      assert.equal(status, "SERVING");
      break;
    }
  },
});
client.close();
health.close();
process.exit();
