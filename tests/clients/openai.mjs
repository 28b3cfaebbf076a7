// The official OpenAI client for JavaScript against the embedded model.
import OpenAI from "openai";
import assert from "node:assert/strict";
import { run } from "./suite.mjs";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const model = "smollm2-135m-instruct-mfa";
const question = { model, temperature: 0, messages: [{ role: "user", content: "List three fruits." }] };
const answer = "1. Banana\n2. Apple\n3. Grapefruit";

const tests = {
  async "models are listed"() {
    const models = await client.models.list();
    assert.deepEqual(models.data.map((m) => m.id), [model]);
    assert.equal((await client.models.retrieve(model)).id, model);
  },
  async "a chat is answered whole"() {
    const reply = await client.chat.completions.create(question);
    assert.equal(reply.choices[0].message.content, answer);
    assert.equal(reply.choices[0].finish_reason, "stop");
    assert.equal(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens);
  },
  async "a streamed chat says the same, and its usage"() {
    let text = "", usage = null, finish = null;
    const stream = await client.chat.completions.create({ ...question, stream: true, stream_options: { include_usage: true } });
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, answer);
    assert.equal(finish, "stop");
    assert.ok(usage.completion_tokens > 10);
  },
  async "the stream helper collects the whole message"() {
    const runner = client.chat.completions.stream(question);
    assert.equal((await runner.finalChatCompletion()).choices[0].message.content, answer);
  },
  async "sixty-four at once say what one says, at least thirty-two of them in one step"() {
    const replies = await Promise.all(Array.from({ length: 64 }, () => client.chat.completions.create(question)));
    for (const reply of replies) assert.equal(reply.choices[0].message.content, answer);
    const metrics = await (await fetch(`${process.argv[2]}/metrics`)).text();
    const value = (name) => Number(metrics.split("\n").find((line) => line.startsWith(`${name} `)).split(" ")[1]);
    assert.ok(value("serving_step_sequences_count") > value('serving_step_sequences_bucket{le="32"}'), "no step held more than 32 sequences");
  },
  async "a text completion comes with logprobs"() {
    const reply = await client.completions.create({ model, prompt: "The capital of France is", max_tokens: 4, temperature: 0, logprobs: 2 });
    assert.equal(reply.choices[0].logprobs.tokens.length, 4);
    assert.ok(reply.choices[0].text.length > 0);
  },
  async "choices are as many as asked"() {
    const reply = await client.chat.completions.create({ ...question, n: 3, max_tokens: 5, temperature: 0.8, seed: 7 });
    assert.deepEqual(reply.choices.map((c) => c.index), [0, 1, 2]);
  },
  async "an unknown model is a 404 of the client's own class"() {
    await assert.rejects(client.chat.completions.create({ ...question, model: "nobody" }), (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
  },
  async "a bad temperature is a 400 that names it"() {
    await assert.rejects(client.chat.completions.create({ ...question, temperature: 3 }), (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature");
  },
  async "leaving a stream cancels it"() {
    const stream = await client.chat.completions.create({ ...question, stream: true, max_tokens: 400, messages: [{ role: "user", content: "Tell me a very long story." }] });
    for await (const _ of stream) break;
    stream.controller.abort();
    const held = async () => Number(/^serving_cache_pages\{state="held"\} (\d+)$/m.exec(await (await fetch(`${process.argv[2]}/metrics`)).text())[1]);
    for (let i = 0; i < 100 && (await held()) > 0; i++) await new Promise((done) => setTimeout(done, 50));
    assert.equal(await held(), 0);
  },
};

await run(tests);
