const seconds = 60;

/** Draws the server's metrics, read once a second, into the page. */
export async function watch(element, headers) {
  const history = [];
  for (;; await new Promise(resolve => setTimeout(resolve, 1000))) {
    if (document.hidden) continue;
    try {
      const reply = await fetch('metrics', { headers: { Authorization: headers().Authorization ?? '' } });
      if (!reply.ok) continue;
      history.push({ at: performance.now() / 1000, values: parse(await reply.text()) });
      while (history.length > seconds + 1) history.shift();
      draw(element, history);
    } catch { /* the server is away; the next second asks again */ }
  }
}

/** Samples of a Prometheus text: from a name with its labels to a number. */
function parse(text) {
  const samples = new Map();
  for (const line of text.split('\n')) {
    if (!line || line.startsWith('#')) continue;
    const cut = line.lastIndexOf(' ');
    samples.set(line.slice(0, cut), Number(line.slice(cut + 1)));
  }
  return samples;
}

function draw(element, history) {
  const now = history.at(-1).values, then = history[0].values;
  const value = name => now.get(name) ?? 0;
  const grown = name => value(name) - (then.get(name) ?? 0);
  const show = (id, text) => { element(id).textContent = text; };
  const pages = ['held', 'cached', 'free'].map(state => value(`serving_cache_pages{state="${state}"}`));
  ['held', 'cached', 'free'].forEach((state, i) => show(state, pages[i].toLocaleString()));
  drawPages(element('pages'), pages);
  show('running', value('serving_sequences_running'));
  show('waiting', value('serving_sequences_waiting'));
  show('preemptions', value('serving_preemptions_total'));
  const looked = value('serving_prefix_lookup_tokens_total');
  show('hits', looked ? `${(100 * value('serving_prefix_hit_tokens_total') / looked).toFixed(0)} % of ${looked.toLocaleString()}` : 'none asked yet');

  const rates = history.slice(1).map(({ at, values }, i) =>
    ((values.get('serving_tokens_generated_total') ?? 0) - (history[i].values.get('serving_tokens_generated_total') ?? 0)) / (at - history[i].at));
  const flights = history.map(({ values }) => (values.get('serving_sequences_running') ?? 0) + (values.get('serving_sequences_waiting') ?? 0));
  show('rate', (rates.at(-1) ?? 0).toFixed(0));
  show('flight', flights.at(-1));
  plot(element('rate_plot'), rates);
  plot(element('flight_plot'), flights);

  for (const [id, name] of [
    ['first', 'gen_ai_server_time_to_first_token_seconds'], ['between', 'serving_inter_token_duration_seconds'], ['step', 'serving_step_duration_seconds'],
  ]) show(id, [0.5, 0.95].map(share => milliseconds(quantile(now, grown, name, share))).join(' / '));
}

/** A quantile of what a histogram gained, by straight lines within its buckets; null when it gained nothing. */
function quantile(samples, grown, name, share) {
  const buckets = [...samples.keys()].filter(key => key.startsWith(`${name}_bucket{`))
    .map(key => ({ key, edge: Number(/le="([^"]+)"/.exec(key)[1].replace('+Inf', 'Infinity')) }));
  const edges = [...new Set(buckets.map(({ edge }) => edge))].sort((a, b) => a - b);
  const counts = edges.map(edge => buckets.filter(bucket => bucket.edge === edge).reduce((sum, { key }) => sum + grown(key), 0));
  const wanted = share * (counts.at(-1) ?? 0);
  if (!wanted) return null;
  const at = counts.findIndex(count => count >= wanted);
  const [low, below] = at ? [edges[at - 1], counts[at - 1]] : [0, 0];
  return edges[at] === Infinity ? low : low + (edges[at] - low) * (wanted - below) / (counts[at] - below);
}

function milliseconds(value) {
  if (value === null) return '–';
  return value < 0.01 ? `${(value * 1000).toFixed(1)} ms` : value < 10 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(1)} s`;
}

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name); }

function surface(canvas) {
  const scale = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  [canvas.width, canvas.height] = [width * scale, height * scale];
  const pen = canvas.getContext('2d');
  pen.scale(scale, scale);
  return { pen, width, height };
}

/** The pool as a field of cells, each standing for the same number of pages; a state with any page has at least one cell. */
function drawPages(canvas, pages) {
  const { pen, width, height } = surface(canvas);
  const total = pages.reduce((sum, count) => sum + count, 0);
  if (!total) return;
  const cell = 8, columns = Math.floor(width / cell), rows = Math.floor(height / cell), cells = Math.min(columns * rows, total);
  const [held, cached] = pages.map(count => count ? Math.max(1, Math.round(count / total * cells)) : 0);
  const colours = ['--held', '--cached', '--free'].map(resolved);
  for (let i = 0; i < cells; i++) {
    pen.fillStyle = colours[i < held ? 0 : i < held + cached ? 1 : 2];
    pen.fillRect((i % columns) * cell, Math.floor(i / columns) * cell, cell - 1.5, cell - 1.5);
  }
}

function plot(canvas, values) {
  const { pen, width, height } = surface(canvas);
  const top = Math.max(1, ...values) * 1.1;
  const x = i => width - (values.length - 1 - i) * width / (seconds - 1);
  const y = value => height - 1 - value / top * (height - 4);
  pen.strokeStyle = resolved('--line');
  pen.beginPath();
  pen.moveTo(0, height - .5);
  pen.lineTo(width, height - .5);
  pen.stroke();
  if (values.length < 2) return;
  pen.beginPath();
  values.forEach((value, i) => pen.lineTo(x(i), y(value)));
  [pen.strokeStyle, pen.lineWidth] = [resolved('--accent'), 1.5];
  pen.stroke();
  pen.lineTo(width, height);
  pen.lineTo(x(0), height);
  [pen.globalAlpha, pen.fillStyle] = [.12, resolved('--accent')];
  pen.fill();
}

/** A custom property as the colour it is in the scheme at hand. */
function resolved(name) {
  const probe = document.createElement('i');
  probe.style.color = colour(name);
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
