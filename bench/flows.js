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

const SEARCH_LIST = ['shop.svc.cluster.local.', 'svc.cluster.local.', 'cluster.local.']
/** What a lookup is for: most ask for a service of their namespace, others for names that the search list is tried with first. */
const NAMES = Array.from({ length: 997 }, (_, k) =>
  k % 10 < 7
    ? [`service-${k}.${SEARCH_LIST[0]}`]
    : [...SEARCH_LIST.map(domain => `api-${k}.example.com.${domain}`), `api-${k}.example.com.`],
)

/** @typedef {{ name: string, type: string, reply: boolean, rcode: number }} Dns */

/**
 * The records of one lookup as glibc makes it: A and AAAA together, the domains of the search list one after the other.
 * @param {number} k
 * @returns {Generator<Dns>}
 */
function* lookup(k) {
  const candidates = NAMES[k % NAMES.length]
  for (const [i, name] of candidates.entries()) {
    const rcode = i < candidates.length - 1 ? 3 : 0
    for (const reply of [false, true]) for (const type of ['A', 'AAAA']) yield { name, type, reply, rcode }
  }
}

/**
 * One line in 1 / dnsShare is a DNS record.
 * @param {number} dnsShare
 */
function* lines(dnsShare) {
  let i = 0
  for (let k = 0; ; k++) {
    const pod = k % PODS
    const client = {
      ip: `10.${1 + (pod >> 8)}.${pod & 255}.7`,
      end: endOf(`web-${pod % 50}`, 'shop', pod),
      port: 10_000 + (k % 50_000),
    }
    for (const dns of lookup(k)) {
      yield line(timeAt(i++), dns, dns.reply, client, { ip: '10.200.0.5', end: dnsEnd, port: 53 })
      const others = Math.round(1 / dnsShare) - 1
      for (let n = 0; n < others; n++) {
        const orders = { ip: '10.200.1.9', end: endOf('orders', 'shop', 3), port: 8080 }
        yield line(timeAt(i++), null, n % 2 === 1, client, orders)
      }
    }
  }
}

/** @param {number} i */
function timeAt(i) {
  const nanos = i * 50_000
  const second = new Date((START + Math.floor(nanos / 1e9)) * 1000).toISOString().slice(0, 19)
  return `${second}.${String(nanos % 1e9).padStart(9, '0')}Z`
}

/** @typedef {{ ip: string, end: object, port: number }} End */

/**
 * @param {string} time
 * @param {Dns | null} dns
 * @param {boolean} reply
 * @param {End} client
 * @param {End} server
 */
function line(time, dns, reply, client, server) {
  const [from, to] = reply ? [server, client] : [client, server]
  const ports = { source_port: from.port, destination_port: to.port }
  const flow = {
    time,
    uuid: `5f9e0c5b-${time.slice(20, 24)}-4d1c-9c1e-${time.slice(20, 29)}abc`,
    emitter: { name: 'Hubble', version: '1.19.1+gd0d0c879' },
    verdict: 'FORWARDED',
    ...(dns ? {} : { ethernet: { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' } }),
    IP: { source: from.ip, destination: to.ip, ipVersion: 'IPv4' },
    l4: dns ? { UDP: ports } : { TCP: { ...ports, flags: { ACK: true } } },
    source: from.end,
    destination: to.end,
    Type: dns ? 'L7' : 'L3_L4',
    node_name: 'bench/node-a',
    ...(dns ? { l7: recordOf(dns) } : {}),
    event_type: { type: dns ? 129 : 4 },
    traffic_direction: 'EGRESS',
    is_reply: reply,
    Summary: dns ? summaryOf(dns) : 'TCP Flags: ACK',
  }
  return JSON.stringify({ flow, node_name: 'bench/node-a', time })
}

/** No address for AAAA, as in a cluster of IPv4. @param {Dns} dns */
const isEmpty = ({ type, rcode }) => rcode !== 0 || type === 'AAAA'

/** @param {Dns} dns */
function recordOf(dns) {
  const { name, type, reply, rcode } = dns
  const question = { query: name, observation_source: 'proxy', qtypes: [type] }
  if (!reply) return { type: 'REQUEST', dns: question }
  const answer = isEmpty(dns) ? { ttl: 4_294_967_295 } : { ips: ['10.96.7.7'], ttl: 30, rrtypes: ['A'] }
  return { type: 'RESPONSE', dns: { ...question, ...answer, ...(rcode ? { rcode } : {}) } }
}

/** @param {Dns} dns */
function summaryOf(dns) {
  const { name, type, reply, rcode } = dns
  if (!reply) return `DNS Query ${name} ${type}`
  const answer = rcode ? 'RCode: Non-Existent Domain' : isEmpty(dns) ? '' : '"10.96.7.7"'
  return `DNS Answer ${answer} TTL: ${isEmpty(dns) ? 4_294_967_295 : 30} (Proxy ${name} ${type})`
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
