/** What the report's first lines say of a capture that shows less, or more, than what was sent. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { analyze } from '../src/analyze.ts'
import { cutMessages } from '../src/report/quality.ts'
import { pcap } from './files.ts'
import { CLIENT, ipv4, query, response, SERVER, udp } from './packets.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'dnstrail-quality-'))
afterAll(() => rmSync(FOLDER, { recursive: true }))

const RAW = 101
const COUNT = 40

interface Shot {
  bytes: Buffer
  /** Microseconds after the one before. */
  after?: number
  /** Captured bytes. */
  cut?: number
}

const ask = (n: number, more: Partial<Shot> = {}): Shot => ({
  bytes: ipv4({ id: n }, udp({ fromPort: 40_000 + n }, query(`n${n}.example`, { id: n }))),
  ...more,
})
const answer = (n: number, more: Partial<Shot> = {}): Shot => ({
  bytes: ipv4(
    { from: SERVER, to: CLIENT, id: 1000 + n },
    udp({ fromPort: 53, toPort: 40_000 + n }, response(`n${n}.example`, ['192.0.2.1'], { id: n })),
  ),
  ...more,
})
const each = (make: (n: number) => Shot[]): Shot[] => Array.from({ length: COUNT }, (_, n) => make(n + 1)).flat()

function written(name: string, shots: Shot[]): string {
  const file = join(FOLDER, `${name}.pcap`)
  let micros = 0
  const packets = shots.map(({ bytes, after = 1000, cut = bytes.length }) => {
    micros += after
    const at = { seconds: 1_700_000_100 + Math.floor(micros / 1e6), nanos: (((micros % 1e6) + 1e6) % 1e6) * 1000 }
    return { ...at, bytes: bytes.subarray(0, cut), wireLength: bytes.length }
  })
  writeFileSync(file, pcap(packets, { linkType: RAW }))
  return file
}

async function quality(...files: string[]) {
  const report = await analyze({
    files,
    filters: { namespace: null, pod: null, name: null, since: null, until: null },
    hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
  })
  const { grade, remarks } = report.quality
  return { grade, text: remarks.join('\n'), totals: report.totals }
}

const both = () => each(n => [ask(n), answer(n)])

test('nothing to say of a good one', async () => {
  expect(await quality(written('both', both()))).toMatchObject({ grade: 'good', text: '' })
})

/** So many pairs, a tenth of a second apart. */
const steady = (count: number, first: number): Shot[] =>
  Array.from({ length: count }, (_, n) => [ask(first + n, { after: 99_000 }), answer(first + n)]).flat()

test('a busy capture that holds nothing for seconds says so, once for each pause', async () => {
  const shots = steady(300, 1)
  shots[200].after = 7_500_000
  shots[400].after = 12_000_000
  expect(await quality(written('paused', shots))).toMatchObject({
    grade: 'fair',
    text: expect.stringMatching(
      /Nothing was captured for 7\.50 s from 22:15:10\.000 UTC on and 12\.0 s from 22:15:27\.401 UTC on, where about 18 frames a second/,
    ),
  })
})

test.each([
  ['short ones', [200], 2_500_000],
  ['one near its end', [560], 8_000_000],
  ['many, as of who asks now and then', [100, 200, 300, 400, 500], 8_000_000],
])('silence that is usual, or at an end, is not worth a word: %s', async (_, at, after) => {
  const shots = steady(300, 1)
  for (const i of at) shots[i].after = after
  expect(await quality(written('silent', shots))).toMatchObject({ grade: 'good', text: '' })
})

test('queries and not one response: nobody knows whether it is the DNS or the capture', async () => {
  const { grade, text } = await quality(
    written(
      'queries',
      each(n => [ask(n)]),
    ),
  )
  expect(grade).toBe('poor')
  expect(text).toMatch(/hardly any responses.*only one direction was captured/)
})

test('one direction at one of two vantage points is named', async () => {
  const { grade, text } = await quality(
    written('all', both()),
    written(
      'half',
      each(n => [ask(n)]),
    ),
  )
  expect(grade).toBe('good')
  expect(text).toMatch(/Only queries were seen at half\.pcap/)
})

test('responses alone', async () => {
  const { grade, text } = await quality(
    written(
      'responses',
      each(n => [answer(n)]),
    ),
  )
  expect(grade).toBe('poor')
  expect(text).toMatch(/Only responses were captured .*how long it took, and what was never answered, is not known/)
})

test('frames that a mirror port copies count once, and as copies', async () => {
  const twice = each(n => [ask(n), ask(n, { after: 5 }), answer(n), answer(n, { after: 5 })])
  const { grade, text, totals } = await quality(written('mirror', twice))
  expect(grade).toBe('good')
  expect(text).toMatch(/80 frames \(50 %\) were captured twice at one place/)
  expect(totals).toMatchObject({ transactions: COUNT, sightings: 2 * COUNT })
})

test('a query that is sent and answered again is no copy', async () => {
  const again = each(n => [ask(n), ask(n, { after: 5_000_000 }), answer(n), answer(n, { after: 20 })])
  expect((await quality(written('again', again))).text).not.toMatch(/twice at one place/)
})

test('a clock that steps back', async () => {
  const { grade, text } = await quality(
    written(
      'steps',
      each(n => [ask(n, { after: n === 20 ? -9e6 : 1e6 }), answer(n)]),
    ),
  )
  expect(grade).toBe('fair')
  expect(text).toMatch(/clock stepped back 1 time/)
})

test('a snap length: the share that was cut, and a name that the response completes', async () => {
  const cut = await quality(
    written(
      'cut',
      each(n => [ask(n, { cut: 44 }), answer(n)]),
    ),
  )
  expect(cut.text).toMatch(/40 messages \(50 %\) cut by the snap length/)
  expect(cut.text).not.toMatch(/had their name cut/)
  expect(cut.totals.lookups).toBe(COUNT)
  const lost = await quality(
    written(
      'lost',
      each(n => [ask(n, { cut: 44 }), answer(n, { cut: 44 })]),
    ),
  )
  expect(lost.text).toMatch(/40 queries had their name cut and are part of no lookup/)
})

test('answers cut for UDP, and no TCP captured', async () => {
  const truncated = (n: number): Shot => ({
    bytes: ipv4(
      { from: SERVER, to: CLIENT, id: 1000 + n },
      udp({ fromPort: 53, toPort: 40_000 + n }, response(`n${n}.example`, [], { id: n, flags: 0x380 })),
    ),
  })
  const { grade, text } = await quality(
    written(
      'udp-only',
      each(n => [ask(n), truncated(n)]),
    ),
  )
  expect(grade).toBe('poor')
  expect(text).toMatch(/40 lookups \(100 %\) got an answer that was cut for UDP .* filter such as "udp port 53"/)
})

test('a message of which a fragment is missing was not cut by the snap length', () => {
  const captures = [
    { cutMessages: 84, cutFrames: 0 },
    { cutMessages: 3, cutFrames: 17 },
  ]
  expect(cutMessages(captures)).toEqual({ cut: 3, torn: 84 })
})
