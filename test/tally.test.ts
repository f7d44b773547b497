/** Tables of sums with a bound: what is frequent is kept and known to within a stated error, and what was forgotten is told. */
import { expect, test } from 'vitest'
import { analyze } from '../src/analyze.ts'
import { Rows } from '../src/findings/rows.ts'
import { NONE } from '../src/model.ts'
import type { Report } from '../src/report/report-types.ts'
import { Tally } from '../src/trace/tally.ts'
import { type Packet, pcap, written } from './files.ts'
import { ethernet, ipv4, query, response, SERVER, udp } from './packets.ts'

const counting = (most: number, dropped: number[] = []) =>
  new Tally<string | number, { n: number }>(
    () => ({ n: 0 }),
    most,
    ({ n }) => dropped.push(n),
  )

test('below the bound all is kept, in order, and exact', () => {
  const tally = counting(100)
  for (let i = 0; i < 1000; i++) tally.of(i % 2 ? `name${i % 100}` : i % 100).n++
  expect(tally.size).toBe(100)
  expect([...tally].slice(0, 3)).toEqual([
    [0, { n: 10 }],
    ['name1', { n: 10 }],
    [2, { n: 10 }],
  ])
  expect([tally.forgotten, tally.error, tally.isWhole('name1')]).toEqual([0, 0, true])
  expect(tally.get('name99')).toEqual({ n: 10 })
  expect([tally.get('other'), tally.has('other')]).toEqual([undefined, false])
})

test('a flood of keys that are seen once leaves room for the frequent ones that come after it, and keeps those before', () => {
  const tally = counting(100)
  for (let i = 0; i < 20; i++) tally.of('before').n++
  for (let i = 0; i < 5000; i++) tally.of(`flood${i}`).n++
  for (let i = 0; i < 200; i++) for (const name of ['after', `rest${i}`]) tally.of(name).n++
  expect(tally.get('before')).toEqual({ n: 20 })
  expect(tally.get('after')).toEqual({ n: 200 })
  // Nobody can tell any more whether `after` was there before, and that it was not often is told.
  expect([tally.isWhole('before'), tally.isWhole('after')]).toEqual([true, false])
  expect(tally.has('flood17')).toBe(false)
})

test('of equal weight some of the older and some of the newer are forgotten', () => {
  const tally = counting(4)
  for (const name of ['a', 'b', 'c', 'd', 'b', 'e']) tally.of(name)
  expect(tally.keys()).toEqual(['b', 'd', 'e'])
  expect([tally.forgotten, tally.error]).toEqual([2, 1])
  const flood = counting(8)
  for (const name of 'abcdefghi') flood.of(name)
  expect(flood.keys()).toEqual(['b', 'd', 'f', 'h', 'i'])
})

/** The same numbers in every run. */
function* random(seed: number): Generator<number> {
  for (let x = seed; ; ) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0
    yield x / 2 ** 32
  }
}

test('no sum lacks more than the error that is stated, nothing is lost of what all sums have together', () => {
  for (const seed of [1, 2, 3]) {
    const dropped: number[] = []
    const tally = counting(64, dropped)
    const truth = new Map<number | string, number>()
    const numbers = random(seed)
    const draw = (): number => numbers.next().value
    const all = 20_000
    for (let i = 0; i < all; i++) {
      // Few are frequent, most are rare.
      const key = Math.floor(1 / (draw() + 0.0005))
      tally.of(key).n++
      truth.set(key, (truth.get(key) ?? 0) + 1)
    }
    expect(tally.forgotten).toBe(dropped.length)
    for (const [key, n] of truth) {
      const told = tally.get(key)?.n ?? 0
      expect(told).toBeLessThanOrEqual(n)
      expect(told + tally.error).toBeGreaterThanOrEqual(n)
      if (tally.has(key) && tally.isWhole(key)) expect(told).toBe(n)
    }
    expect(tally.values().reduce((sum, { n }) => sum + n, 0) + dropped.reduce((sum, n) => sum + n, 0)).toBe(all)
    const top = (entries: Iterable<[number | string, number]>) =>
      [...entries]
        .sort((a, b) => b[1] - a[1])
        .slice(0, 5)
        .map(([key]) => key)
    expect(top([...tally].map(([key, { n }]) => [key, n]))).toEqual(top(truth))
  }
})

test('sums that are joined lack what any of them lacked', () => {
  const [all, first, second] = [counting(100), counting(4), counting(100)]
  for (const name of ['a', 'b', 'c', 'd', 'b', 'e']) first.of(name).n++
  second.of('b').n++
  for (const more of [first, second]) all.joinAll(more, (into, { n }) => (into.n += n))
  expect([...all]).toEqual([
    ['b', { n: 3 }],
    ['d', { n: 1 }],
    ['e', { n: 1 }],
  ])
  expect([all.forgotten, all.error, all.isWhole('b')]).toEqual([2, 1, false])
})

test('rows keep the frequent keys, and what stands beside a row goes with it', () => {
  const beside = new Map<number, number>()
  const rows = new Rows(2, key => beside.delete(key), 1000)
  const keyOf = (i: number): number => i * 0x200000 + 7
  for (let i = 0; i < 3000; i++) {
    for (const key of i % 10 ? [keyOf(i)] : [keyOf(i), keyOf(5)]) {
      const row = rows.of(key)
      rows.add(row, 1)
      beside.set(key, rows.get(row, 1))
    }
  }
  expect(rows.size).toBeLessThanOrEqual(1000)
  expect([...beside.keys()].sort()).toEqual(Array.from({ length: rows.size }, (_, row) => rows.keyOf(row)).sort())
  for (const [key, n] of beside) expect(rows.get(rows.find(key), 1)).toBe(n)
  expect([rows.get(rows.find(keyOf(5)), 1), rows.isWhole(rows.find(keyOf(5)))]).toEqual([301, true])
  expect([rows.find(keyOf(11)), rows.find(keyOf(2999))]).toEqual([NONE, rows.size - 1])
  expect([rows.get(rows.size - 1, 0), rows.get(rows.size - 1, 1)]).toEqual([0, 1])
})

// -- The report of a flood ------------------------------------------------------------------------------------------------------

const FLOOD = 13_000
const MOST_NAMES = 10_000

type Asked = [name: string, time: number, answered?: boolean, type?: 'A' | 'AAAA']

/** One question after the other. */
function capture(asked: Iterable<Asked>): { file: string; names: string[] } {
  const packets: Packet[] = []
  const names: string[] = []
  for (const [name, time, answered = true, type = 'A'] of asked) {
    const id = names.length & 0xffff
    const fromPort = 20_000 + (names.length % 40_000)
    const put = (at: number, bytes: Buffer): unknown =>
      packets.push({ seconds: Math.floor(at), nanos: Math.round((at % 1) * 1e9), bytes })
    put(time, ethernet(ipv4({}, udp({ fromPort }, query(name, { id, type })))))
    const answer = response(name, answered ? ['192.0.2.1'] : [], { id, type, rcode: answered ? 0 : 3 })
    put(
      time + 0.0005,
      ethernet(ipv4({ from: SERVER, to: '10.244.0.11' }, udp({ fromPort: 53, toPort: fromPort }, answer))),
    )
    names.push(name)
  }
  return { file: written(`flood-${names.length}.pcap`, pcap(packets)), names }
}

const reportOf = (file: string): Promise<Report> =>
  analyze({
    files: [file],
    filters: { namespace: null, pod: null, name: null, since: null, until: null },
    hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
  })

function* flood(names: number): Generator<Asked> {
  for (let i = 0; i < names; i++) {
    yield [`x${i}.flood.example`, 1000 + i * 0.01]
    if (i % 10 === 0) yield ['steady.example', 1000 + i * 0.01 + 0.004]
  }
}

function* flapping(from: number): Generator<Asked> {
  for (let i = 0; i < 40; i++) yield ['app.corp.example', from + i, i % 4 !== 2]
}

function* contradicting(from: number): Generator<Asked> {
  for (let i = 0; i < 10; i++) {
    yield ['odd.corp.example', from + i]
    yield ['odd.corp.example', from + i + 0.0001, false, 'AAAA']
  }
}

test('a flood of names hides neither what is found after it nor the names that are asked most, and is told', async () => {
  const { file, names } = capture([...flood(FLOOD), ...flapping(2000)])
  const { findings, waste, issues, totals } = await reportOf(file)
  expect(findings.map(({ code }) => code)).toContain('flapping-rcode')

  expect([totals.lookups, waste.lookups, waste.queries]).toEqual([names.length, names.length, names.length])
  const truth = new Map<string, number>()
  for (const name of names) truth.set(name, (truth.get(name) ?? 0) + 1)
  const error = waste.mayLack?.byName as number
  expect(waste.mayLack).toEqual({ byName: error })
  expect(error).toBeLessThan(5)
  for (const { key, queries } of waste.byName) {
    expect(queries).toBeLessThanOrEqual(truth.get(key) as number)
    expect(queries + error).toBeGreaterThanOrEqual(truth.get(key) as number)
  }
  expect(waste.byName.slice(0, 2).map(({ key, queries }) => [key, queries])).toEqual([
    ['steady.example', FLOOD / 10],
    ['app.corp.example', 40],
  ])

  const limits = issues.filter(({ code }) => code.endsWith('-limit'))
  expect(limits.map(({ code }) => code)).toEqual(['sums-limit', 'findings-limit'])
  const different = [...truth.keys()]
  expect(limits[0].firstFrame).toBe(2 * names.indexOf(different[MOST_NAMES]) + 1)
  expect(limits[0].count).toBe(MOST_NAMES / 2)
  expect(limits[0].what).toContain(`may lack as many as ${error} of its queries`)
})

test('who says "never" after a flood says so with less confidence', async () => {
  const confidence = async (asked: Iterable<Asked>) =>
    (await reportOf(capture(asked).file)).findings
      .filter(({ code }) => code === 'aaaa-nxdomain-contradiction')
      .map(({ confidence }) => confidence)
  expect(await confidence(contradicting(2000))).toEqual(['high'])
  expect(await confidence([...flood(FLOOD), ...contradicting(2000)])).toEqual(['low'])
})

test('as many names as are kept are no flood', async () => {
  const { file } = capture([...flood(MOST_NAMES - 2), ...flapping(2000)])
  const { waste, issues } = await reportOf(file)
  expect(issues).toEqual([])
  expect(waste).not.toHaveProperty('mayLack')
})
