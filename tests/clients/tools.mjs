// Structured output and tools with the official OpenAI client for JavaScript against the embedded model, which knows neither: what it
// says is held to the form.
import OpenAI from "openai";
import assert from "node:assert/strict";
import { run } from "./suite.mjs";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const model = "smollm2-135m-instruct-mfa";
const messages = [{ role: "user", content: "What is the weather in Paris?" }];
const weather = {
  type: "function",
  function: {
    name: "get_weather", description: "The weather of a city.", strict: true,
    parameters: {
      type: "object", additionalProperties: false, required: ["city", "unit"],
      properties: { city: { type: "string", maxLength: 20 }, unit: { enum: ["celsius", "fahrenheit"] } },
    },
  },
};
const stop = { type: "function", function: { name: "stop" } };

function check(call) {
  const { city, unit, ...rest } = JSON.parse(call.function.arguments);
  assert.equal(typeof city, "string");
  assert.ok(["celsius", "fahrenheit"].includes(unit));
  assert.deepEqual(rest, {});
}

const tests = {
  async "a required tool is called"() {
    const reply = await client.chat.completions.create({ model, messages, temperature: 0, tools: [weather], tool_choice: "required", parallel_tool_calls: false });
    const [choice] = reply.choices;
    assert.equal(choice.finish_reason, "tool_calls");
    assert.equal(choice.message.content, null);
    assert.equal(choice.message.tool_calls.length, 1);
    assert.equal(choice.message.tool_calls[0].function.name, "get_weather");
    check(choice.message.tool_calls[0]);
  },
  async "a named tool is called, streamed as whole"() {
    const request = { model, messages, temperature: 0, tools: [weather, stop], tool_choice: { type: "function", function: { name: "get_weather" } } };
    const whole = (await client.chat.completions.create(request)).choices[0];
    assert.equal(whole.finish_reason, "stop");
    check(whole.message.tool_calls[0]);
    const runner = client.chat.completions.stream(request);
    let pieces = 0;
    runner.on("chunk", () => pieces++);
    const streamed = (await runner.finalChatCompletion()).choices[0].message.tool_calls[0];
    assert.deepEqual({ ...streamed.function }, { ...streamed.function, name: "get_weather", arguments: whole.message.tool_calls[0].function.arguments });
    assert.ok(pieces > 10, `${pieces} chunks`);
  },
  async "a conversation goes on after a call"() {
    const first = (await client.chat.completions.create({ model, messages, temperature: 0, tools: [weather], tool_choice: "required", parallel_tool_calls: false })).choices[0].message;
    const reply = await client.chat.completions.create({
      model, temperature: 0, max_tokens: 30, tools: [weather],
      messages: [...messages, first, { role: "tool", tool_call_id: first.tool_calls[0].id, content: "Sunny, 21 degrees." }],
    });
    assert.equal(reply.choices[0].message.role, "assistant");
  },
  async "several answers to a schema"() {
    const schema = {
      type: "object", additionalProperties: false, required: ["fruit", "colour", "count"],
      properties: { fruit: { type: "string", maxLength: 20 }, colour: { enum: ["red", "green"] }, count: { type: "integer", minimum: 1, maximum: 9 } },
    };
    const reply = await client.chat.completions.parse({
      model, messages: [{ role: "user", content: "Name a fruit." }], n: 3, temperature: 1, seed: 5, max_tokens: 120,
      response_format: { type: "json_schema", json_schema: { name: "fruit", strict: true, schema } },
    });
    assert.equal(reply.choices.length, 3);
    for (const choice of reply.choices) {
      const { fruit, colour, count } = JSON.parse(choice.message.content);
      assert.ok(fruit.length <= 20 && ["red", "green"].includes(colour) && count >= 1 && count <= 9, choice.message.content);
      assert.equal(choice.finish_reason, "stop");
    }
  },
  async "json_object is an object, also with little room"() {
    const reply = await client.chat.completions.create({ model, messages, temperature: 1, seed: 2, max_tokens: 25, response_format: { type: "json_object" } });
    assert.equal(typeof JSON.parse(reply.choices[0].message.content), "object");
  },
  async "a keyword that is not served is a 400 that names it"() {
    const response_format = { type: "json_schema", json_schema: { name: "a", schema: { type: "object", contains: {} } } };
    await assert.rejects(client.chat.completions.create({ model, messages, response_format }),
      (error) => error instanceof OpenAI.BadRequestError && /contains/.test(error.message) && error.param === "response_format.json_schema.schema");
  },
};

await run(tests);
