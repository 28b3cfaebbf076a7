/** A conversation on the page: what was said, the request under way, and the list that shows it. */
export class Chat {
  messages = [];
  #list; #request; #headers; #changed; #abort = null;

  constructor({ list, request, headers, changed }) {
    [this.#list, this.#request, this.#headers, this.#changed] = [list, request, headers, changed];
  }

  get busy() { return this.#abort !== null; }

  ask(text) {
    this.messages.push({ role: 'user', content: text });
    this.#show('user', text);
    return this.#answer();
  }

  /** Forgets the last answer and asks for another. */
  again() {
    if (this.messages.at(-1)?.role === 'assistant') this.messages.pop();
    while (this.#list.lastChild && !this.#list.lastChild.classList.contains('user')) this.#list.lastChild.remove();
    return this.#answer();
  }

  stop() { this.#abort?.abort(); }

  clear() {
    this.stop();
    this.messages = [];
    this.#list.replaceChildren();
    this.#changed();
  }

  curl(url) {
    const question = this.messages.at(-1).role === 'assistant' ? this.messages.slice(0, -1) : this.messages;
    const body = JSON.stringify(this.#request(question)).replaceAll("'", "'\\''");
    return `curl -N ${url} -H 'Content-Type: application/json' -d '${body}'`;
  }

  async #answer() {
    const messages = this.messages;
    const abort = this.#abort = new AbortController();
    this.#changed();
    const { text, note, item } = this.#show('assistant', '');
    const asked = performance.now();
    let first = null, content = '', end = 'stopped here', usage = null;
    try {
      const reply = await fetch('v1/chat/completions', {
        method: 'POST', signal: abort.signal, headers: this.#headers(), body: JSON.stringify(this.#request(messages)),
      });
      if (!reply.ok) throw new Error((await reply.json()).error.message);
      for await (const chunk of events(reply.body)) {
        if (chunk.error) throw new Error(chunk.error.message);
        usage = chunk.usage ?? usage;
        const [choice] = chunk.choices;
        if (!choice) continue;
        const piece = (choice.delta.reasoning_content ?? '') + (choice.delta.content ?? '');
        if (piece) first ??= performance.now();
        content += choice.delta.content ?? '';
        text.append(piece);
        if (choice.finish_reason) end = choice.finish_reason;
        this.#list.scrollTop = this.#list.scrollHeight;
      }
    } catch (error) {
      if (error.name !== 'AbortError') {
        item.classList.add('error');
        text.append(error.message);
        end = 'failed';
      }
    }
    if (messages === this.messages && content) messages.push({ role: 'assistant', content });
    note.textContent = summary(end, usage, asked, first, performance.now());
    this.#abort = null;
    this.#changed();
  }

  #show(role, content) {
    const item = document.createElement('li');
    const text = document.createElement('div');
    const note = document.createElement('div');
    [item.className, text.className, note.className] = [role, 'text', 'note'];
    text.textContent = content;
    item.append(text, ...(role === 'assistant' ? [note] : []));
    this.#list.append(item);
    this.#list.scrollTop = this.#list.scrollHeight;
    return { item, text, note };
  }
}

function summary(end, usage, asked, first, now) {
  const parts = [end];
  if (first) parts.push(`first token after ${Math.round(first - asked)} ms`);
  if (usage) {
    const tokens = usage.completion_tokens;
    if (first && tokens > 1) parts.push(`${tokens} tokens, ${((tokens - 1) / (now - first) * 1000).toFixed(0)} a second`);
    const cached = usage.prompt_tokens_details?.cached_tokens;
    parts.push(`prompt of ${usage.prompt_tokens}${cached ? `, ${cached} from the cache` : ''}`);
  }
  return parts.join(' · ');
}

/** The JSON events of a stream of server-sent events, up to [DONE]. */
async function* events(body) {
  let rest = '';
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith('data: ')) continue;
      if (line === 'data: [DONE]') return;
      yield JSON.parse(line.slice(6));
    }
  }
}
