/** `dnstrail show`: the pictures of the samples' lookups, and pictures of what nobody should send. */
import { readFileSync } from 'node:fs'
import { encode } from 'dns-packet'
import { describe, expect, test } from 'vitest'
import type { Options } from '../src/analyze.ts'
import { run } from '../src/cli.ts'
import type { HopRecord, MessageRecord } from '../src/report/record-types.ts'
import { axis } from '../src/report/show/axis.ts'
import { choice, type Shown } from '../src/report/show/choice.ts'
import { decodedLines } from '../src/report/show/decoded.ts'
import { displayFilters, frameSpan, frameSpans } from '../src/report/show/frames.ts'
import { silences } from '../src/report/show/silence.ts'
import { showText } from '../src/report/show/text.ts'
import { show } from '../src/show.ts'
import { pcap, written } from './files.ts'
import { endpoint, HOP, lookup, MESSAGE } from './fixtures/report.ts'
import { ethernet, ipv4, query, udp } from './packets.ts'

const options = (files: string[]): Options => ({
  files,
  filters: { namespace: null, pod: null, name: null, since: null, until: null },
  hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
})

const longest = (text: string) => Math.max(...text.split('\n').map(line => line.length))

/** The lookups are named, not numbered: numbers move when grouping does. */
describe.each([
  ['search-chain', ['samples/00-search-chain.pcap'], 'google.com'],
  ['nodelocal', ['samples/02-nodelocal/node-a.pcap', 'samples/02-nodelocal/node-b.pcap'], 'ledger.payments'],
  ['lost-leg', ['samples/06-lost-legs/node-a.pcap', 'samples/06-lost-legs/node-b.pcap'], 'l1.lossy.example'],
  ['sent-again', ['samples/06-lost-legs/node-a.pcap', 'samples/06-lost-legs/node-b.pcap'], 'l3.lossy.example'],
])('%s', (name, files, wanted) => {
  test.each([80, 120])('at %i columns', async width => {
    const { shown, captured } = await show(options(files), wanted, false)
    const text = showText(shown, captured, { width, color: false })
    expect(longest(text)).toBeLessThanOrEqual(width)
    await expect(text).toMatchFileSnapshot(`fixtures/show/${name}-${width}.txt`)
  })
})

test('the README shows the picture of a lost leg', () => {
  const block = /<!-- show -->\n```text\n\$ .*\n\n([\s\S]*?)```\n<!-- \/show -->/.exec(
    readFileSync('README.md', 'utf8'),
  )
  expect(readFileSync('test/fixtures/show/lost-leg-80.txt', 'utf8')).toContain(block![1].trimEnd())
})

test('the messages of a lookup, decoded', async () => {
  const { shown, captured } = await show(options(['samples/01-glibc-clusterip.pcap']), 'google.com', true)
  const text = showText(shown, captured, { width: 100, color: false })
  expect(longest(text)).toBeLessThanOrEqual(100)
  const titles = text.split('\n').filter(line => /^T\d+ (query|response) at /.test(line))
  expect(titles.length).toBe(shown.hops.reduce((sum, hop) => sum + 2 + hop.retransmissions, 0))
  expect(text).toMatch(/answer {6}google\.com \d+ IN AAAA 2404:/)
  // Three interfaces saw each message; it is decoded once.
  expect(captured!.length).toBeGreaterThan(titles.length)
})

// -- What nobody should send --------------------------------------------------------------------------------------------------

const START = '2026-11-21T02:51:09.200831178Z'
const later = (ms: number) =>
  new Date(Date.parse('2026-11-21T02:51:09.200Z') + ms).toISOString().replace('Z', '831178Z')

const HOSTILE = `\x1b[2J\u202e${'a'.repeat(63)}.${'b\n'.repeat(30)}.${'c'.repeat(63)}`
const hop = (id: string, changes: Partial<HopRecord> = {}): HopRecord => ({
  ...HOP,
  id,
  lookup: 'L1',
  start: START,
  ...changes,
})
const shownOf = (hops: HopRecord[], changes: Partial<Parameters<typeof lookup>[0]> = {}): Shown => ({
  lookup: lookup({
    id: 'L1',
    candidates: [{ name: 'google.com', suffix: null, outcome: 'answered', waitMs: 1, hops: hops.map(({ id }) => id) }],
    ...changes,
  }),
  hops,
  ofName: 1,
})

test.each([
  ['a name that moves the cursor', shownOf([hop('T1', { qname: HOSTILE })], { name: HOSTILE, answers: [HOSTILE] })],
  [
    'candidates of 255 characters',
    shownOf([hop('T1')], {
      candidates: [{ name: HOSTILE + HOSTILE, suffix: null, outcome: 'nxdomain', waitMs: null, hops: ['T1'] }],
    }),
  ],
  [
    'long addresses, several of a role, and a long file name',
    shownOf(
      [1, 2, 3].map(i =>
        hop(`T${i}`, {
          to: { ...endpoint(`2001:db8:ffff:ffff:ffff:ffff:ffff:fff${i}`, 'upstream'), port: 53, asked: 'fd00::1' },
          frames: [{ file: `${'x'.repeat(200)}.pcap`, number: i }],
        }),
      ),
    ),
  ],
  ['no hop at all', shownOf([])],
  ['no question to read', shownOf([hop('T1', { qname: null, qtype: null, dnsId: null })])],
  [
    'hops that cause each other',
    shownOf([hop('T1', { causedBy: ['T2'] }), hop('T2', { causedBy: ['T1'] })], { candidates: [] }),
  ],
  [
    'clocks that disagree',
    shownOf([hop('T1', { start: later(-3000) }), hop('T2', { causedBy: ['T1'], start: later(7000) })]),
  ],
  ['nothing came back', shownOf([hop('T1', { waitMs: null, outcome: 'unanswered' })], { waitMs: null, end: null })],
  ['no time passed', shownOf([hop('T1', { waitMs: 0, ownMs: 0 })], { waitMs: 0 })],
  [
    'forwarded fifty times',
    shownOf(Array.from({ length: 50 }, (_, i) => hop(`T${i + 1}`, { causedBy: i === 0 ? [] : [`T${i}`] }))),
  ],
])('%s fits every screen and does nothing to the terminal', (_, shown) => {
  for (let width = 60; width <= 200; width += 5) {
    const text = showText(shown, [], { width, color: false })
    expect(longest(text), `at ${width}`).toBeLessThanOrEqual(width)
    expect(text).not.toMatch(/[^\P{C}\n]/u)
    expect(text).not.toMatch(/undefined|NaN|\[object/)
  }
})

test('every hop is drawn once, under its cause', () => {
  const shown = shownOf(
    [hop('T1'), hop('T2', { causedBy: ['T1'] }), hop('T3', { causedBy: ['T1'] }), hop('T4', { causedBy: ['T9'] })],
    {
      candidates: [{ name: 'google.com', suffix: null, outcome: 'answered', waitMs: 1, hops: ['T1'] }],
    },
  )
  const text = showText(shown, null, { width: 160, color: false })
  expect(text.match(/^T\d+ .{0,7}/gm)).toEqual(['T1   A    ', 'T2   ├─ no', 'T3   └─ no', 'T4   A    '])
})

// -- The axis -----------------------------------------------------------------------------------------------------------------

const brokenAt = (events: number[], width = 60) => axis(events, width).breaks.map(({ from, to }) => [from, to])

test('a timer is cut out of the axis where it would squeeze the rest', () => {
  expect(brokenAt([0, 0.5, 40, 5005, 5006])).toEqual([[40, 5005]])
  const { head, column } = axis([0, 0.5, 40, 5005, 5006], 60)
  expect(head).toContain('// 5.0 s //')
  expect([column(0), column(5006)]).toEqual([0, 59])
  expect(column(40)).toBeLessThan(head.indexOf('//'))
})

test.each([
  ['one hop of seconds', [0, 5000]],
  ['a slow server', [0, 1, 400, 401]],
  ['a silence among others that last', [0, 1000, 1400, 1800, 2200, 2600, 3000]],
  ['tries that nothing squeezes', [0, 5000, 10000]],
  ['a screen without room', [0, 1, 2, 5000], 13],
])('%s is not cut', (_, events, width = 60) => {
  expect(brokenAt(events as number[], width as number)).toEqual([])
})

test('a narrow axis is cut tightly', () => {
  expect(axis([0, 1, 2, 2503, 2504, 5006], 28).head).toMatch(/^0 *\/\/2\.5 s\/\/ *\/\/2\.5 s\/\/ *$/)
})

test('times keep their order on every axis', () => {
  const events = [-3, 0, 0.2, 0.3, 50, 5050, 5051, 10051, 10060]
  for (let width = 20; width <= 150; width++) {
    const { column } = axis(events, width)
    const columns = events.map(column)
    expect(columns).toEqual([...columns].sort((a, b) => a - b))
    expect(Math.min(...columns)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...columns)).toBeLessThan(width)
  }
})

test('silences', () => {
  expect(silences([5005, 0, 57, 5005, 5006])).toEqual([{ from: 57, to: 5005 }])
})

// -- Frames -------------------------------------------------------------------------------------------------------------------

test('frames', () => {
  const frames = [7, 1, 2, 3, 2].map(number => ({ file: 'a.pcap', number })).concat({ file: 'b.pcap', number: 9 })
  expect(frameSpan(frames, true)).toBe('a.pcap 1-7')
  expect(frameSpan(frames, false)).toBe('1-7')
  expect(frameSpans(frames, true)).toBe('a.pcap 1-7, b.pcap 9')
  expect(displayFilters(frames)).toEqual([
    { file: 'a.pcap', filter: 'frame.number in {1..3, 7}' },
    { file: 'b.pcap', filter: 'frame.number in {9}' },
  ])
})

// -- Choice -------------------------------------------------------------------------------------------------------------------

test('of a name the slowest is chosen, and hops of no other are kept', () => {
  const { lookup: add, hop: addHop, chosen } = choice('Google.com.')
  addHop(hop('T20', { lookup: 'L2' }))
  add(lookup({ id: 'L1', waitMs: 5 }))
  addHop(hop('T10', { lookup: 'L1' }))
  add(lookup({ id: 'L2', waitMs: 9 }))
  addHop(hop('T21', { lookup: 'L2' }))
  add(lookup({ id: 'L3', waitMs: 99, name: 'other.example' }))
  addHop(hop('T30', { lookup: 'L3' }))
  add(lookup({ id: 'L4', waitMs: 7 }))
  addHop(hop('T40', { lookup: 'L4' }))
  addHop(hop('T22', { lookup: 'L2' }))
  addHop(hop('T0', { lookup: null }))
  const { lookup: best, hops, ofName } = chosen()
  expect([best.id, hops.map(({ id }) => id), ofName]).toEqual(['L2', ['T20', 'T21', 'T22'], 3])
})

test('one that never got an answer waited longest; a name may be an alternative', () => {
  const { lookup: add, chosen } = choice('redis')
  add(lookup({ id: 'L1', waitMs: 5006, name: 'redis' }))
  add(lookup({ id: 'L2', waitMs: null, outcome: 'unanswered', name: 'redis.data', alternatives: ['redis'] }))
  add(lookup({ id: 'L3', waitMs: null, outcome: 'capture-ended', name: 'redis' }))
  expect(chosen().lookup.id).toBe('L2')
})

test("an application's lookup goes before a server's own", () => {
  const { lookup: add, chosen } = choice('google.com')
  add(lookup({ id: 'L1', waitMs: 5 }))
  add(lookup({ id: 'L2', waitMs: null, outcome: 'unanswered', client: endpoint('10.244.1.5', 'coredns') }))
  expect(chosen().lookup.id).toBe('L1')
})

test('an id is an id', () => {
  const { lookup: add, hop: addHop, chosen } = choice('L2')
  addHop(hop('T9', { lookup: 'L2' }))
  add(lookup({ id: 'L1' }))
  add(lookup({ id: 'L2' }))
  addHop(hop('T10', { lookup: 'L1' }))
  expect(chosen().hops.map(({ id }) => id)).toEqual(['T9'])
})

// -- Messages -----------------------------------------------------------------------------------------------------------------

test('a message is decoded in full', () => {
  const bytes = encode({
    type: 'response',
    id: 7,
    flags: 1 << 8,
    questions: [{ type: 'A', name: 'a.example' }],
    answers: [
      { type: 'CNAME', name: 'a.example', ttl: 30, data: 'b.example' },
      { type: 'TXT', name: 'b.example', ttl: 30, data: ['say "hi"', '\x1b'] },
      { type: 'SRV', name: 'b.example', ttl: 30, data: { port: 53, target: 'c.example', priority: 1, weight: 2 } },
    ],
    additionals: [
      // biome-ignore format: one record
      { type: 'OPT', name: '.', udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0, flags: 1 << 15, flag_do: true, options: [] },
    ],
  })
  expect(decodedLines(Buffer.concat([bytes, Buffer.from('xx')]))).toEqual([
    'id 7, QUERY NOERROR, flags rd',
    'question    a.example IN A',
    'answer      a.example 30 IN CNAME b.example',
    'answer      b.example 30 IN TXT "say \\"hi\\"" "\\u001b"',
    'answer      b.example 30 IN SRV priority 1, weight 2, port 53, target c.example',
    'additional  OPT udp 1232, do',
    'and behind the message 2 more bytes',
  ])
})

test('what cannot be decoded is shown in hex', () => {
  const bytes = Buffer.from('0007818000010000000000001ff\x1b'.slice(0, 24), 'hex')
  expect(decodedLines(bytes)).toEqual([
    'cannot be decoded: Cannot decode name (buffer overflow)',
    '0000  00 07 81 80 00 01 00 00 00 00 00 00              ............',
  ])
  expect(decodedLines(Buffer.alloc(0))[0]).toMatch(/^cannot be decoded: /)
  expect(decodedLines(Buffer.alloc(5000, 0xff)).at(-1)).toBe('and 4488 more bytes')
})

test('no bytes break the decoding or the page', () => {
  let seed = 1
  const random = () => {
    seed = (seed * 48271) % 2147483647
    return seed
  }
  const good = encode({
    type: 'response',
    id: 6266,
    questions: [{ type: 'A', name: 'a.example' }],
    answers: [{ type: 'A', name: 'a.example', ttl: 3, data: '192.0.2.1' }],
  })
  const record: MessageRecord = { ...MESSAGE, response: true, cut: true, malformed: true }
  for (let i = 0; i < 300; i++) {
    const bytes = Buffer.from(good.subarray(0, 1 + (random() % good.length)))
    for (let n = random() % 4; n > 0; n--) bytes[random() % bytes.length] = random() & 255
    const text = showText(shownOf([hop('T1')]), [{ record, bytes }], { width: 80, color: false })
    expect(longest(text)).toBeLessThanOrEqual(80)
    expect(text).not.toMatch(/[^\P{C}\n]/u)
  }
})

test('of many messages the wanted ones keep their bytes', async () => {
  const file = written(
    'many.pcap',
    pcap(
      Array.from({ length: 12_000 }, (_, i) => ({
        seconds: 1_700_000_000 + i,
        nanos: 0,
        bytes: ethernet(ipv4({}, udp({}, query(`name-${i}.example`, { id: i })))),
      })),
    ),
  )
  const { shown, captured } = await show(options([file]), 'name-7.example', true)
  expect(captured).toHaveLength(1)
  expect(showText(shown, captured, { width: 80, color: false })).toContain('question    name-7.example IN A\n')
})

// -- The command line -----------------------------------------------------------------------------------------------------------

async function dnstrail(...args: string[]) {
  const out: string[] = []
  const err: string[] = []
  const status = await run(['node', 'dnstrail', ...args], {
    stdin: { isTTY: true },
    stdout: { write: text => out.push(text) },
    stderr: { write: text => err.push(text) },
    env: {},
    onInterrupt: () => {},
  })
  return { status, out: out.join(''), err: err.join('') }
}
const FILE = 'samples/00-search-chain.pcap'

test('the ids of lookups are the ids of show', async () => {
  const lines = (await dnstrail('lookups', FILE)).out.trim().split('\n').slice(1)
  for (const line of lines) {
    const id = line.split(' ')[0]
    expect((await dnstrail('show', FILE, id)).out.split(':')[0]).toMatch(new RegExp(`^${id}  `))
  }
})

test('json has the lookup and its hops as the other commands print them', async () => {
  const line = (await dnstrail('lookups', FILE, '-o', 'ndjson')).out.split('\n')[3]
  const wanted = JSON.parse(line)
  const hops = (await dnstrail('hops', FILE, '-o', 'ndjson')).out
    .trim()
    .split('\n')
    .map(text => JSON.parse(text))
  const { status, out } = await dnstrail('show', FILE, wanted.id, '-o', 'json')
  expect(status).toBe(0)
  expect(JSON.parse(out)).toEqual({ lookup: wanted, hops: hops.filter(({ lookup }) => lookup === wanted.id) })
  const verbose = JSON.parse((await dnstrail('show', FILE, wanted.id, '-o', 'ndjson', '--verbose')).out)
  expect(verbose.messages.length).toBe(verbose.hops.reduce((sum: number, hop: HopRecord) => sum + hop.sightings, 0))
  expect(verbose.messages[0]).toMatchObject({
    hop: verbose.hops[0].id,
    bytes: expect.stringMatching(/^[0-9a-f]{24,}$/),
  })
})

test('colour is an addition', async () => {
  const plain = (await dnstrail('show', FILE, 'google.com', '--verbose')).out
  const coloured = (await dnstrail('show', FILE, 'google.com', '--verbose', '--color')).out
  expect(coloured).not.toBe(plain)
  expect(coloured.replace(/\x1b\[\d+m/g, '')).toBe(plain)
})

test.each([
  [
    ['show', FILE, 'L999'],
    'there is no lookup L999; "dnstrail lookups CAPTURE..." with the same options lists all lookups with their ids and names.',
  ],
  [
    ['show', FILE, 'no.example'],
    'there is no lookup of "no.example"; "dnstrail lookups CAPTURE..." with the same options lists all lookups with their ids and names.',
  ],
  [['show', FILE], 'show wants captures and then a lookup: its id, as "dnstrail lookups" prints it, or a name.'],
  [['show', 'L1'], 'captures are missing: dnstrail show CAPTURE... L1'],
  [['show', FILE, 'L1', '-o', 'csv'], 'a lookup is shown as text, json or ndjson.'],
  [
    ['show', '-', 'L1', '-v'],
    '--verbose reads the captures twice, and standard input can be read only once; give files.',
  ],
])('%j is refused in one sentence', async (args, sentence) => {
  expect(await dnstrail(...args)).toEqual({ status: 2, out: '', err: `dnstrail: ${sentence}\n` })
})
