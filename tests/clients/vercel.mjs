// The Vercel AI SDK against the embedded model.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, embedMany, generateText, streamText } from "ai";
import assert from "node:assert/strict";
import { run } from "./suite.mjs";

const name = "smollm2-135m-instruct-mfa";
const provider = createOpenAICompatible({ name: "serving", baseURL: `${process.argv[2]}/v1`, includeUsage: true });
const question = { model: provider.chatModel(name), prompt: "List three fruits.", temperature: 0, maxRetries: 0 };
const answer = "1. Banana\n2. Apple\n3. Grapefruit";

await run({
  async "a text is generated, with its usage"() {
    const { text, finishReason, usage } = await generateText(question);
    assert.deepEqual([text, finishReason], [answer, "stop"]);
    assert.equal(usage.totalTokens, usage.inputTokens + usage.outputTokens);
  },
  async "a streamed text is the same"() {
    const stream = streamText(question);
    let text = "";
    for await (const piece of stream.textStream) text += piece;
    assert.deepEqual([text, await stream.finishReason], [answer, "stop"]);
    assert.ok((await stream.usage).outputTokens > 10);
  },
  async "a conversation of several turns is answered"() {
    const messages = [{ role: "system", content: "Be brief." }, { role: "user", content: "My name is Ann." }, { role: "assistant", content: "Hello Ann." }, { role: "user", content: "List three fruits." }];
    const { text } = await generateText({ ...question, prompt: undefined, messages, maxOutputTokens: 20 });
    assert.ok(text.length > 0);
  },
  async "texts have embeddings"() {
    const model = provider.textEmbeddingModel(name);
    const { embedding } = await embed({ model, value: "fruit" });
    const { embeddings } = await embedMany({ model, values: ["fruit", "war"] });
    assert.deepEqual(embeddings[0], embedding);
    assert.ok(Math.abs(embedding.reduce((sum, v) => sum + v * v, 0) - 1) < 1e-4);
  },
  async "a refusal arrives with its message"() {
    await assert.rejects(generateText({ ...question, model: provider.chatModel("nobody") }), (error) => error.statusCode === 404 && /nobody/.test(error.message));
  },
});
