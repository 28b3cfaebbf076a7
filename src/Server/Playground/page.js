import { Chat } from './chat.js';
import { watch } from './live.js';

const element = id => document.getElementById(id);
const numbers = ['temperature', 'top_p', 'top_k', 'min_p', 'repetition_penalty', 'max_tokens', 'seed'];

export function headers() {
  const key = element('key').value;
  return { 'Content-Type': 'application/json', ...(key && { Authorization: `Bearer ${key}` }) };
}

/** What the fields say, as fields of a request; a field left empty is left to the model. */
function sampling() {
  const fields = {};
  for (const name of numbers) if (element(name).value !== '') fields[name] = Number(element(name).value);
  if (element('stop_text').value) fields.stop = [element('stop_text').value];
  return fields;
}

const chat = new Chat({
  list: element('messages'),
  request: messages => ({
    model: element('model').value,
    messages: element('system').value ? [{ role: 'system', content: element('system').value }, ...messages] : messages,
    stream: true, stream_options: { include_usage: true }, ...sampling(),
  }),
  headers,
  changed: () => {
    element('send').hidden = chat.busy;
    element('stop').hidden = !chat.busy;
    element('again').disabled = element('curl').disabled = chat.busy || chat.messages.length === 0;
  },
});

function send(event) {
  event?.preventDefault();
  const text = element('text').value.trim();
  if (!text || chat.busy) return;
  element('text').value = '';
  chat.ask(text);
}

element('ask').addEventListener('submit', send);
element('text').addEventListener('keydown', event => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
});
element('stop').addEventListener('click', () => chat.stop());
element('again').addEventListener('click', () => chat.again());
element('clear').addEventListener('click', () => { chat.clear(); element('text').focus(); });
element('curl').addEventListener('click', () => navigator.clipboard?.writeText(chat.curl(new URL('v1/chat/completions', location.href))));

/** Fills the list of models; asks for a key where the server wants one. */
async function connect() {
  const state = element('state');
  try {
    const reply = await fetch('v1/models', { headers: headers() });
    element('key_field').hidden = reply.status !== 401 && !element('key').value;
    const body = await reply.json();
    if (!reply.ok) throw new Error(body.error.message);
    element('model').replaceChildren(...body.data.map(({ id }) => new Option(id)));
    state.className = '';
    state.textContent = 'ready';
    return true;
  } catch (error) {
    state.className = 'wrong';
    state.textContent = error.message;
    return false;
  }
}

element('key').addEventListener('change', connect);
while (!await connect()) await new Promise(resolve => setTimeout(resolve, 2000));
watch(element, headers);
