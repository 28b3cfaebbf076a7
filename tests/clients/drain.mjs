// A server that is told to stop lets its streams end and leaves with 0: 32 streams of gRPC and a watcher, then SIGTERM.
import grpc from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { all, failure, reflect, start } from "./grpc/definitions.mjs";
import { run } from "./suite.mjs";

const options = ["--port", "0", "--drain-seconds", "120", "--stall-seconds", "100"];
const { url, server, exited } = await start("Server/release/serving", options, /^Serving .* at (http\S*)\. Try it:$/m);
const [address, credentials] = [url.replace("http://", ""), grpc.credentials.createInsecure()];
const { packages } = await reflect(address, credentials);
const client = new packages.serving.v1.Generation(address, credentials);
const health = new packages.grpc.health.v1.Health(address, credentials);

await run({
  async "kill -TERM under 32 streams: all finish, a watcher is told, the exit code is 0"() {
    const began = [];
    const streams = Array.from({ length: 32 }, (_, i) => {
      const call = client.Generate({ model: "smollm2-135m-instruct-mfa", prompt: `Story ${i}:`, max_tokens: 40, ignore_eos: true });
      began.push(new Promise((done) => call.once("metadata", done)));
      return all(call);
    });
    const watch = health.Watch({});
    const heard = [];
    const watching = failure((async () => {
      for await (const { status } of watch) heard.push(status);
    })());
    await Promise.all(began);
    server.kill("SIGTERM");
    for (const replies of await Promise.all(streams)) {
      assert.equal(replies.at(-1).summary.usage.completion_tokens, 40);
    }
    assert.equal((await watching).code, grpc.status.UNAVAILABLE);
    assert.deepEqual(heard, ["SERVING", "NOT_SERVING"]);
    client.close();
    health.close();
    assert.equal(await exited, 0);
  },
});
server.kill("SIGKILL");
process.exit();
