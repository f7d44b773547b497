/**
 * How fast flow logs are read, beside JSON.parse of the same bytes in the same process, and beside jq where it is installed. Two logs: one
 * line in ten is a DNS record, and every line is.
 *
 *     npm run bench -- --shape flows
 *     npm run build && node bench/flows.js [--megabytes 250] [--runs 3]
 */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { megabytes: { type: 'string', default: '250' }, runs: { type: 'string', default: '3' } },
})
const MEGABYTES = Number(values.megabytes)
const RUNS = Number(values.runs)
const PODS = 800
const START = Date.UTC(2026, 10, 21) / 1000
const DIST = new URL('../dist/', import.meta.url)

// -- The logs ---------------------------------------------------------------------------------------------------------------

/**
 * Labels and names as long as those of a real cluster: a line has about 1.3 KB.
 * @param {string} app
 * @param {string} namespace
 * @param {number} n
 */
const endOf = (app, namespace, n) => ({
  ID: 1000 + n,
  identity: 40_000 + n,
  namespace,
  labels: [
    `k8s:app=${app}`,
    `k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=${namespace}`,
    'k8s:io.cilium.k8s.policy.cluster=bench-cluster',
    `k8s:io.cilium.k8s.policy.serviceaccount=${namespace}-${app}`,
    `k8s:io.kubernetes.pod.namespace=${namespace}`,
    'k8s:version=v1',
  ],
  pod_name: `${app}-6d5f8b7c9d-${String(n).padStart(5, 'x')}`,
})
const dnsEnd = {
  ...endOf('kube-dns', 'kube-system', 1),
  labels: ['k8s:k8s-app=kube-dns'],
  pod_name: 'coredns-76f75df574-8wvxd',
}

/** @param {number} dnsShare */
function* lines(dnsShare) {
  for (let i = 0; ; i++) {
    const nanos = i * 50_000
    const time = `${new Date((START + Math.floor(nanos / 1e9)) * 1000).toISOString().slice(0, 19)}.${String(nanos % 1e9).padStart(9, '0')}Z`
    // A query and its answer are two records, one behind the other.
    const k = Math.floor(i / 2)
    const dns = k % 10 < dnsShare * 10
    const pod = k % PODS
    const client = {
      ip: `10.${1 + (pod >> 8)}.${pod & 255}.7`,
      end: endOf(`web-${pod % 50}`, 'shop', pod),
      port: 10_000 + (k % 50_000),
    }
    const server = dns
      ? { ip: '10.200.0.5', end: dnsEnd, port: 53 }
      : { ip: '10.200.1.9', end: endOf('orders', 'shop', 3), port: 8080 }
    yield line(time, dns, i % 2 === 1, client, server, `service-${k % 997}.shop.svc.cluster.local.`)
  }
}

/** @typedef {{ ip: string, end: object, port: number }} End */

/**
 * @param {string} time
 * @param {boolean} dns
 * @param {boolean} reply
 * @param {End} client
 * @param {End} server
 * @param {string} query
 */
function line(time, dns, reply, client, server, query) {
  const [from, to] = reply ? [server, client] : [client, server]
  const ports = { source_port: from.port, destination_port: to.port }
  const answer = reply
    ? { ips: ['10.96.7.7'], ttl: 30, observation_source: 'proxy', qtypes: ['A'], rrtypes: ['A'] }
    : { observation_source: 'proxy', qtypes: ['A'] }
  const flow = {
    time,
    verdict: 'FORWARDED',
    ...(dns ? {} : { ethernet: { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' } }),
    IP: { source: from.ip, destination: to.ip, ipVersion: 'IPv4' },
    l4: dns ? { UDP: ports } : { TCP: { ...ports, flags: { ACK: true } } },
    source: from.end,
    destination: to.end,
    Type: dns ? 'L7' : 'L3_L4',
    node_name: 'bench/node-a',
    ...(dns ? { l7: { type: reply ? 'RESPONSE' : 'REQUEST', dns: { query, ...answer } } } : {}),
    event_type: { type: dns ? 129 : 4 },
    traffic_direction: 'EGRESS',
    is_reply: reply,
    Summary: dns
      ? reply
        ? `DNS Answer "10.96.7.7" TTL: 30 (Proxy ${query} A)`
        : `DNS Query ${query} A`
      : 'TCP Flags: ACK',
  }
  return JSON.stringify({ flow, node_name: 'bench/node-a', time })
}

/**
 * @param {string} path
 * @param {number} dnsShare
 */
function write(path, dnsShare) {
  const file = openSync(path, 'w')
  let bytes = 0
  let text = ''
  for (const next of lines(dnsShare)) {
    text += `${next}\n`
    if (text.length < 1 << 20) continue
    bytes += writeSync(file, text)
    text = ''
    if (bytes >= MEGABYTES * 1e6) break
  }
  closeSync(file)
}

// -- The runs ---------------------------------------------------------------------------------------------------------------

/**
 * Megabytes a second of the fastest run.
 * @param {number} size
 * @param {() => unknown} run
 */
async function best(size, run) {
  let seconds = Number.POSITIVE_INFINITY
  for (let i = 0; i < RUNS; i++) {
    const begin = performance.now()
    await run()
    seconds = Math.min(seconds, (performance.now() - begin) / 1000)
  }
  return size / 1e6 / seconds
}

/**
 * Every line through JSON.parse and nothing else.
 * @param {string} path
 */
function parseAll(path) {
  const bytes = readFileSync(path)
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at)
    JSON.parse(bytes.toString('utf8', at, end))
    at = end + 1
  }
}

const { analyze } = await import(new URL('analyze.js', DIST).href)
const { readCaptures } = await import(new URL('input/merge.js', DIST).href)
const { newTables } = await import(new URL('wire/tables.js', DIST).href)
const { Issues } = await import(new URL('wire/issues.js', DIST).href)

/** @param {string} path */
const read = path =>
  readCaptures([path], { keepBytes: false, tables: newTables(), issues: new Issues() }, () => undefined)
/** @param {string} path */
const report = path =>
  analyze({
    files: [path],
    filters: { namespace: null, pod: null, name: null, since: null, until: null },
    hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
  })
/** @param {string} path */
const jq = path => spawnSync('jq', ['-c', 'select(.flow.l7.dns)', path], { stdio: ['ignore', 'ignore', 'ignore'] })

const folder = mkdtempSync(join(tmpdir(), 'dnstrail-flows-'))
try {
  for (const { name, share } of [
    { name: 'one line in ten is DNS', share: 0.1 },
    { name: 'every line is DNS', share: 1 },
  ]) {
    const path = join(folder, `${share}.jsonl`)
    write(path, share)
    const { size } = statSync(path)
    const parse = await best(size, () => parseAll(path))
    const reading = await best(size, () => read(path))
    const whole = await best(size, () => report(path))
    const beside = spawnSync('jq', ['--version']).status === 0 ? await best(size, () => jq(path)) : null
    console.log(`${name}: ${(size / 1e6).toFixed(0)} MB`)
    /**
     * @param {string} what
     * @param {number} speed
     */
    const row = (what, speed) =>
      console.log(
        `  ${what.padEnd(22)} ${speed.toFixed(0).padStart(5)} MB/s  ${(speed / parse).toFixed(2).padStart(5)} of JSON.parse`,
      )
    row('JSON.parse alone', parse)
    row('dnstrail, to messages', reading)
    row('dnstrail, the report', whole)
    if (beside !== null) row('jq -c select', beside)
    rmSync(path)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
