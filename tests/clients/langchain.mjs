// LangChain for JavaScript against the embedded model.
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { StringOutputParser } from "@langchain/core/output_parsers";
import assert from "node:assert/strict";
import { run } from "./suite.mjs";

const model = "smollm2-135m-instruct-mfa";
const server = { apiKey: "none", maxRetries: 0, configuration: { baseURL: `${process.argv[2]}/v1` } };
const chat = new ChatOpenAI({ model, temperature: 0, ...server });
const answer = "1. Banana\n2. Apple\n3. Grapefruit";

await run({
  async "a chat model is invoked"() {
    const message = await chat.invoke("List three fruits.");
    assert.equal(message.content, answer);
    assert.equal(message.response_metadata.finish_reason, "stop");
    assert.equal(message.usage_metadata.total_tokens, message.usage_metadata.input_tokens + message.usage_metadata.output_tokens);
  },
  async "a streamed chat is the same"() {
    let text = "";
    for await (const chunk of await chat.stream("List three fruits.")) text += chunk.content;
    assert.equal(text, answer);
  },
  async "a chain of template, model and parser runs, also in batch"() {
    const chain = ChatPromptTemplate.fromMessages([["user", "List three {things}."]]).pipe(chat).pipe(new StringOutputParser());
    const [first, second] = await chain.batch([{ things: "fruits" }, { things: "fruits" }]);
    assert.deepEqual([first, second], [answer, answer]);
  },
  async "documents have embeddings"() {
    const embeddings = new OpenAIEmbeddings({ model, ...server });
    const [fruit, again] = await embeddings.embedDocuments(["fruit", "fruit"]);
    assert.deepEqual(fruit, again);
    assert.ok(fruit.length > 100);
  },
});
