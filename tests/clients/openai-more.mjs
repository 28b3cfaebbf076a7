// The rest of the official OpenAI client for JavaScript: embeddings and responses.
import OpenAI from "openai";
import assert from "node:assert/strict";
import { run } from "./suite.mjs";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const model = "smollm2-135m-instruct-mfa";
const answer = "1. Banana\n2. Apple\n3. Grapefruit";
const question = { model, input: "List three fruits.", temperature: 0 };

await run({
  async "embeddings come in the client's own base64, of length one"() {
    const reply = await client.embeddings.create({ model, input: ["fruit", "war"] });
    assert.equal(reply.data.length, 2);
    for (const { embedding } of reply.data) assert.ok(Math.abs(embedding.reduce((sum, v) => sum + v * v, 0) - 1) < 1e-4);
    const plain = await client.embeddings.create({ model, input: "fruit", encoding_format: "float" });
    assert.deepEqual(plain.data[0].embedding.map(Math.fround), reply.data[0].embedding);
  },
  async "a response is answered whole"() {
    const reply = await client.responses.create(question);
    assert.deepEqual([reply.output_text, reply.status], [answer, "completed"]);
    assert.equal(reply.usage.total_tokens, reply.usage.input_tokens + reply.usage.output_tokens);
  },
  async "a streamed response says the same, in numbered events"() {
    let text = "", numbers = [], types = [], end = null;
    for await (const event of await client.responses.create({ ...question, stream: true })) {
      numbers.push(event.sequence_number);
      types.push(event.type);
      if (event.type === "response.output_text.delta") text += event.delta;
      if (event.type === "response.completed") end = event.response;
    }
    assert.equal(text, answer);
    assert.deepEqual(numbers, numbers.map((_, i) => i));
    assert.deepEqual(types.slice(0, 4), ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]);
    assert.equal(end.output[0].content[0].text, answer);
  },
  async "the stream helper collects a response"() {
    const reply = await client.responses.stream(question).finalResponse();
    assert.equal(reply.output_text, answer);
  },
  async "instructions and earlier items are a conversation"() {
    const reply = await client.responses.create({ model, temperature: 0, max_output_tokens: 16, instructions: "Be brief.",
      input: [{ role: "user", content: "Hello" }, { role: "assistant", content: "Hi." }, { role: "user", content: [{ type: "input_text", text: "List three fruits." }] }] });
    assert.ok(reply.output_text.length > 0);
    assert.ok(["completed", "incomplete"].includes(reply.status));
  },
  async "what is not kept is refused by name"() {
    await assert.rejects(client.responses.create({ ...question, previous_response_id: "resp_1" }), (error) => error.status === 400 && error.param === "previous_response_id");
  },
});
