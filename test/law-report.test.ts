/**
 * Laws of the whole program, with real captures: how the frames were stored and how they come in changes nothing that a user
 * reads, but for what `captures` says of the file itself.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { analyze, messages, type Options } from '../src/analyze.ts'
import { PcapParser } from '../src/input/pcap.ts'
import type { HopRecord, LookupRecord, MessageRecord } from '../src/report/record-types.ts'
import type { Report } from '../src/report/report-types.ts'
import { enhancedPacket, interfaceBlock, NANOS, option, type Packet, pcap, pcapng, section, written } from './files.ts'
import { parsed } from './frames.ts'
import { ethernet, ipv4, query, response, udp } from './packets.ts'

const SAMPLES = fileURLToPath(new URL('../samples/', import.meta.url))
const NO_FILTERS = { namespace: null, pod: null, name: null, since: null, until: null }
const NO_HINTS = { resources: null, roles: [], resolvConf: null, clusterDomain: null }

const FOLDER = mkdtempSync(join(tmpdir(), 'dnstrail-law-'))
afterAll(() => rmSync(FOLDER, { recursive: true }))

interface Told {
  report: Report
  lookups: LookupRecord[]
  hops: HopRecord[]
  messages: MessageRecord[]
}

async function told(files: string[], stdin?: () => Readable): Promise<Told> {
  const options = (): Options => ({ files, filters: NO_FILTERS, hints: NO_HINTS, ...(stdin && { stdin: stdin() }) })
  const all: Omit<Told, 'report'> = { lookups: [], hops: [], messages: [] }
  const report = await analyze(options(), {
    lookup: record => all.lookups.push(record),
    hop: record => all.hops.push(record),
  })
  await messages(options(), record => all.messages.push(record))
  return { report, ...all }
}

/** What a file says of itself: its name wherever one stands, and these fields of `captures`. */
const ABOUT_THE_FILE = ['format', 'compression', 'bytes', 'snapLength', 'vantages']

/** Where the file's name stands. */
const FILE_NAMES = ['file', 'seenIn', 'notSeenIn']

/** Everything as JSON, without what is about the file. */
function jsonOf(all: Told): string {
  const captures = all.report.captures.map(capture =>
    Object.fromEntries(Object.entries(capture).filter(([key]) => !ABOUT_THE_FILE.includes(key))),
  )
  const report = { ...all.report, captures }
  return JSON.stringify({ ...all, report }, (key, value) => (FILE_NAMES.includes(key) ? '' : value), 1)
}

function inChunks(bytes: Buffer, size: number): Readable {
  let at = 0
  return new Readable({
    read() {
      this.push(at < bytes.length ? bytes.subarray(at, at + size) : null)
      at += size
    },
    // Otherwise the stream would join small chunks again.
    highWaterMark: 1,
  })
}

/** The same name in a folder of its own, so that nothing but the way of storing differs. */
function stored(way: string, bytes: Buffer): string {
  const path = join(FOLDER, `${way}-capture`)
  writeFileSync(path, bytes)
  return path
}

const hasTool = (name: string) => spawnSync(name, ['--version']).error === undefined

describe.each([
  ['00-search-chain.pcap', 'Ethernet'],
  ['06-upstream-timeout.pcap', 'SLL2 with nanoseconds'],
])('%s (%s)', name => {
  const file = readFileSync(join(SAMPLES, name))
  let expected = ''
  beforeAll(async () => {
    const all = await told([stored('as-it-is', file)])
    expect(all.lookups.length).toBeGreaterThan(0)
    expect(all.report.totals.lookups).toBe(all.lookups.length)
    expected = jsonOf(all)
  })

  const { frames } = parsed(context => new PcapParser(context), file)
  const linkType = frames[0].linkType
  const packets = frames.map(
    ({ seconds, nanos, wireLength, hex }): Packet => ({ seconds, nanos, wireLength, bytes: Buffer.from(hex, 'hex') }),
  )
  const ways: Record<string, () => Buffer> = {
    'pcap, big-endian, nanoseconds': () => pcap(packets, { order: 'big', magic: NANOS, linkType }),
    pcapng: () => pcapng(packets, 'little', linkType),
    'pcapng, big-endian': () => pcapng(packets, 'big', linkType),
    gzip: () => gzipSync(file),
    'pcapng and gzip': () => gzipSync(pcapng(packets, 'little', linkType)),
  }
  test.each(Object.entries(ways))('as %s', async (way, bytes) => {
    expect(jsonOf(await told([stored(way, bytes())]))).toBe(expected)
  })

  test.each(['zstd', 'xz', 'lz4'])('as %s, where that tool is here', async tool => {
    if (!hasTool(tool)) return
    const bytes = execFileSync(tool, ['-c', '-q'], { input: file })
    const all = await told([stored(tool, bytes)])
    expect(all.report.captures[0].compression).toBe(tool)
    expect(jsonOf(all)).toBe(expected)
  })

  test.each([1, 7, 65_536])('through a pipe in chunks of %d bytes', { timeout: 60_000 }, async size => {
    for (const bytes of [file, ways.pcapng(), ways.gzip()])
      expect(jsonOf(await told(['-'], () => inChunks(bytes, size)))).toBe(expected)
  })
})

test('a ring-buffer set in any order tells what the one file would have told', async () => {
  const file = readFileSync(join(SAMPLES, '01-glibc-clusterip.pcap'))
  const { frames } = parsed(context => new PcapParser(context), file)
  const packets = frames.map(
    ({ seconds, nanos, wireLength, hex }): Packet => ({ seconds, nanos, wireLength, bytes: Buffer.from(hex, 'hex') }),
  )
  const third = Math.ceil(packets.length / 3)
  // As tcpdump -W 3 leaves them: the ring went round, the oldest is not the first.
  const ring = [1, 2, 0].map((part, i) =>
    stored(`ring${i}`, pcap(packets.slice(part * third, (part + 1) * third), { linkType: frames[0].linkType })),
  )
  const one = await told([stored('whole', file)])
  const outcomes = ({ lookups }: Told) =>
    lookups.map(({ name, client, outcome, start, end, queries }) => [
      name,
      client.address,
      outcome,
      start,
      end,
      queries,
    ])
  const orders = [
    [0, 1, 2],
    [2, 0, 1],
    [2, 1, 0],
  ]
  for (const order of orders) {
    const set = await told(order.map(i => ring[i]))
    expect(outcomes(set)).toEqual(outcomes(one))
    expect(set.report.waste.wasted).toBe(one.report.waste.wasted)
  }
})

/** "06676f6f676c6503636f6d00" as "google.com". */
function nameOf(wire: string): string {
  const bytes = Buffer.from(wire, 'hex')
  const labels: string[] = []
  for (let at = 0; bytes[at] > 0; at += 1 + bytes[at]) labels.push(bytes.toString('latin1', at + 1, at + 1 + bytes[at]))
  return labels.join('.').toLowerCase()
}

test('messages tell the bytes of the name in hex', async () => {
  const { messages } = await told([join(SAMPLES, '00-search-chain.pcap')])
  expect(messages.length).toBeGreaterThan(0)
  for (const { qname, qnameWire } of messages) {
    expect(qnameWire).toMatch(/^([0-9a-f]{2})+$/)
    expect(nameOf(qnameWire!)).toBe(qname)
  }
})

test('lookups tell the data of every type of answer', async () => {
  const soa = { mname: 'ns.example', rname: 'root.example', serial: 7, refresh: 1, retry: 2, expire: 3, minimum: 4 }
  const frames = [
    ethernet(ipv4({}, udp({}, query('example.com', { type: 'SOA' })))),
    ethernet(
      ipv4(
        { from: '10.96.0.10', to: '10.244.0.11' },
        udp(
          { fromPort: 53, toPort: 40_000 },
          response('example.com', [{ type: 'SOA', name: 'example.com', data: soa }], { type: 'SOA' }),
        ),
      ),
    ),
  ]
  const bytes = pcap(frames.map((bytes, i) => ({ seconds: 1_700_000_000, nanos: i * 1_000_000, bytes })))
  const { lookups } = await told([written('soa.pcap', bytes)])
  expect(lookups.map(({ answers }) => answers)).toEqual([['ns.example root.example 7 1 2 3 4']])
})

test('the names of interfaces are shown as the vantage points', async () => {
  const file = readFileSync(join(SAMPLES, '00-search-chain.pcap'))
  const { frames } = parsed(context => new PcapParser(context), file)
  const named = (name: string) =>
    interfaceBlock('little', 1, 262_144, option('little', 2, name), option('little', 9, Buffer.from([9])))
  const bytes = Buffer.concat([
    section('little'),
    named('cali12345'),
    named('nodelocaldns'),
    ...frames.map(({ seconds, nanos, hex }, i) =>
      enhancedPacket('little', i & 1, BigInt(seconds) * 1_000_000_000n + BigInt(nanos), Buffer.from(hex, 'hex')),
    ),
  ])
  const { report } = await told([written('named.pcapng', bytes)])
  expect(report.captures[0].vantages).toEqual(['cali12345', 'nodelocaldns'])
})
