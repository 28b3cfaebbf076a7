// The page at the root, in headless Chromium.
import { existsSync } from "node:fs";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { run } from "./suite.mjs";

const [, , url] = process.argv;
const program = "/usr/bin/chromium";
if (!existsSync(program)) {
  console.log("skipped the page at the root (needs Debian's chromium)\n  failed: 0\n  succeeded: 0\n  skipped: 1");
  process.exit(0);
}
const browser = await chromium.launch({
  executablePath: program,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage();
const wrong = [], outside = [];
page.on("pageerror", (error) => wrong.push(error.message));
page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
page.on("request", (request) => request.url().startsWith(url) || request.url().startsWith("data:") || outside.push(request.url()));

const answers = () => page.locator("#messages .assistant .text").allTextContents();
async function ask(text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
  await page.waitForFunction(() => !document.getElementById("send").hidden, null, { timeout: 120_000 });
}

await run({
  async "it finds the model"() {
    await page.goto(url);
    await page.waitForFunction(() => document.getElementById("state").textContent === "ready");
    assert.equal(await page.inputValue("#model"), "smollm2-135m-instruct-mfa");
  },
  async "a question is answered, streamed, with its figures"() {
    await page.fill("#temperature", "0");
    await ask("List three fruits.");
    assert.deepEqual(await answers(), ["1. Banana\n2. Apple\n3. Grapefruit"]);
    assert.match(await page.textContent("#messages .note"), /stop · first token after \d+ ms · 14 tokens/);
  },
  async "it can be answered again, and goes on"() {
    await page.click("#again");
    await page.waitForFunction(() => !document.getElementById("send").hidden, null, { timeout: 120_000 });
    await ask("And three colours?");
    assert.equal((await answers()).length, 2);
  },
  async "a long answer can be stopped"() {
    await page.fill("#text", "Tell me a very long story about the sea.");
    await page.click("#send");
    await page.waitForFunction(() => document.querySelector("#messages li:last-child .text").textContent.length > 20, null, { timeout: 120_000 });
    await page.click("#stop");
    await page.waitForFunction(() => document.querySelector("#messages li:last-child .note").textContent.startsWith("stopped here"));
  },
  async "a mistake is said, not swallowed"() {
    await page.fill("#temperature", "3");
    await ask("Hello");
    assert.match(await page.textContent("#messages .error"), /temperature/);
    await page.fill("#temperature", "0");
    wrong.splice(0, wrong.length, ...wrong.filter((text) => !text.includes("400")));
  },
  async "the cache is drawn from the metrics"() {
    await page.waitForFunction(() => Number(document.getElementById("free").textContent.replaceAll(",", "")) > 0);
    await page.waitForFunction(() => /ms \/ /.test(document.getElementById("first").textContent));
    const colours = await page.evaluate(() => {
      const canvas = document.getElementById("pages");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return new Set(Array.from({ length: data.length / 4 }, (_, i) => data.slice(4 * i, 4 * i + 4).join())).size;
    });
    assert.ok(colours >= 3, `the field of pages shows ${colours} colours`);
  },
  async "nothing is asked of anyone else, and nothing fails"() {
    assert.deepEqual(outside, []);
    assert.deepEqual(wrong, []);
  },
});
await browser.close();
