// @ts-check
/**
 * Captures in which one thing comes by the thousand. Time per frame must be the same however many frames there are: what looks at each of
 * a thousand for each other of them shows here as twice the frames in four times the time.
 *
 *     npm run bench -- --shape floods
 *     npm run build && node bench/floods.js [--frames 50000] [--only dead,one-name]
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ETHERNET, frameWriter, OUT } from './frames.js'
import { randomSource } from './random.js'

const PROGRAM = fileURLToPath(new URL('../bin/dnstrail.js', import.meta.url))
const START_SECONDS = 1_795_000_000
const MICROSECOND = 1e3
const PATIENCE_MS = 300_000

const { values } = parseArgs({
  options: { frames: { type: 'string', default: '50000' }, only: { type: 'string', default: '' } },
})
const FRAMES = Number(values.frames)
const ONLY = values.only.split(',').filter(Boolean)

/** @param {number} a @param {number} b @param {number} c @param {number} d */
const ip = (a, b, c, d) => ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
/** @param {number} i */
const pod = i => ip(10, 244, (i >> 8) & 255, i & 255)
const SERVER = ip(10, 96, 0, 10)
const UPSTREAM = ip(192, 0, 2, 53)
const SUFFIXES = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example']
const A = 1
const NXDOMAIN = 3

/** @param {string} name */
const wire = name =>
  Buffer.concat([...name.split('.').map(l => Buffer.from([l.length, ...Buffer.from(l)])), Buffer.of(0)])

/** @param {number} id @param {string} name @param {number} flags @param {boolean} answers */
function message(id, name, flags, answers) {
  const header = Buffer.alloc(12)
  header.writeUInt16BE(id & 0xffff, 0)
  header.writeUInt16BE(flags, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(answers ? 1 : 0, 6)
  const answer = answers ? Buffer.from([0xc0, 12, 0, A, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1]) : Buffer.alloc(0)
  return Buffer.concat([header, wire(name), Buffer.from([0, A, 0, 1]), answer])
}

/**
 * What a flood writes with; time goes on by `wait`, in microseconds.
 * @typedef {object} Pen
 * @property {(client: number, server: number, port: number, id: number, name: string) => void} ask
 * @property {(client: number, server: number, port: number, id: number, name: string, rcode?: number) => void} answer
 * @property {(microseconds: number) => void} wait
 * @property {(below: number) => number} any
 */

/** @param {number} i */
const port = i => 20_000 + (i % 40_000)

/** @type {Record<string, (pen: Pen, i: number) => void>} */
const FLOODS = {
  // A recursive resolver, or a scanner: each query to another server.
  servers: ({ ask, answer, wait }, i) => {
    const server = ip(100, 64 + ((i >> 16) & 63), (i >> 8) & 255, i & 255)
    ask(pod(1), server, port(i), i, 'example.com')
    wait(1000)
    answer(pod(1), server, port(i), i, 'example.com')
  },
  // Each query from another client.
  clients: ({ ask, answer, wait }, i) => {
    const client = ip(11, (i >> 16) & 255, (i >> 8) & 255, i & 255)
    ask(client, SERVER, port(i), i, 'example.com')
    wait(100)
    answer(client, SERVER, port(i), i, 'example.com')
    wait(100)
  },
  // Each query for another name that does not exist.
  names: ({ ask, answer, wait }, i) => {
    ask(pod(i % 50), SERVER, port(i), i, `x${i.toString(36)}.victim.example`)
    wait(300)
    answer(pod(i % 50), SERVER, port(i), i, `x${i.toString(36)}.victim.example`, NXDOMAIN)
    wait(100)
  },
  // Everybody waits for one of three names, and the forwarder asks on for each.
  popular: ({ ask, wait, any }, i) => {
    ask(pod(i % 3000), SERVER, port(i), i, `n${i % 3}.example.com`)
    wait(50)
    ask(SERVER, UPSTREAM, port(i), any(65_536), `n${i % 3}.example.com`)
    wait(50)
  },
  dead: ({ ask, wait, any }, i) => {
    ask(pod(i % 300), SERVER, port(i), any(65_536), `svc${any(500)}.${SUFFIXES[i % 4]}`)
    wait(300)
  },
  // One client, one name, no answer.
  'one-name': ({ ask, wait, any }, i) => {
    ask(pod(1), SERVER, port(i), any(65_536), 'api.example.com')
    wait(1000)
  },
  // One port and id for all.
  'one-id': ({ ask, wait }, i) => {
    ask(pod(1), SERVER, 5353, 7, `n${i}.example.com`)
    wait(100)
  },
  // Walks of one client for names with one first label, all at once.
  heads: ({ ask, answer, wait, any }, i) => {
    const name = `api.d${any(3000)}.example.${SUFFIXES[i % 4]}`
    ask(pod(1), SERVER, port(i), i, name)
    wait(20)
    answer(pod(1), SERVER, port(i), i, name, NXDOMAIN)
    wait(20)
  },
  // A search list of its own for each of thousands of pods.
  lists: ({ ask, answer, wait }, i) => {
    const client = i % 6000
    const step = Math.floor(i / 6000) % 4
    const suffixes = [`ns${client}.svc.cluster.local`, 'svc.cluster.local', 'cluster.local']
    const name = step < 3 ? `api.example.com.${suffixes[step]}` : 'api.example.com'
    ask(pod(client), SERVER, port(i), i, name)
    answer(pod(client), SERVER, port(i), i, name, step < 3 ? NXDOMAIN : 0)
    wait(1)
  },
}

/** @param {string} file @param {string} flood @param {number} frames */
function write(file, flood, frames) {
  const writer = frameWriter(file, ETHERNET, START_SECONDS, frames)
  const where = { time: 0, ifindex: 0, kind: OUT }
  const next = randomSource(1)
  /** @param {number} from @param {number} to @param {number} fromPort @param {number} toPort @param {Buffer} bytes */
  const send = (from, to, fromPort, toPort, bytes) =>
    writer.udp(where, from, to, fromPort, toPort, 64, next() & 0xffff, bytes, bytes.length)
  /** @type {Pen} */
  const pen = {
    ask: (client, server, port, id, name) => send(client, server, port, 53, message(id, name, 0x0100, false)),
    answer: (client, server, port, id, name, rcode = 0) =>
      send(server, client, 53, port, message(id, name, 0x8180 | rcode, rcode === 0)),
    wait: microseconds => {
      where.time += microseconds * MICROSECOND
    },
    any: below => next() % below,
  }
  for (let i = 0; writer.frames() < frames; i++) FLOODS[flood](pen, i)
  writer.close()
}

const folder = mkdtempSync(join(tmpdir(), 'dnstrail-floods-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** Seconds for the report of so many frames. @param {string} flood @param {number} frames */
function secondsFor(flood, frames) {
  const file = join(folder, 'flood.pcap')
  write(file, flood, frames)
  const started = process.hrtime.bigint()
  const { status } = spawnSync(process.execPath, [PROGRAM, file], { stdio: 'ignore', timeout: PATIENCE_MS })
  return status === 0 ? Number(process.hrtime.bigint() - started) / 1e9 : Number.NaN
}

const columns = ['', `${FRAMES} frames`, `${4 * FRAMES} frames`, 'us a frame of those behind']
console.log(columns.map((column, i) => (i === 0 ? column.padEnd(10) : column.padStart(14))).join('  '))
for (const flood of Object.keys(FLOODS).filter(name => ONLY.length === 0 || ONLY.includes(name))) {
  const few = secondsFor(flood, FRAMES)
  const many = secondsFor(flood, 4 * FRAMES)
  const perFrame = ((many - few) / (3 * FRAMES)) * 1e6
  const cells = [`${few.toFixed(2)} s`, `${many.toFixed(2)} s`, perFrame.toFixed(1)]
  console.log([flood.padEnd(10), ...cells.map(cell => cell.padStart(14))].join('  '))
}
