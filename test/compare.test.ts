/** compare: the test of chance itself, what comes of samples of the repository, and two recordings of one workload. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { randomSource } from '../bench/random.js'
import { run as cli } from '../src/cli.ts'
import { chanceOf, isBeyondChance, ratioOf, type Sample } from '../src/report/compare/chance.ts'
import type { Comparison } from '../src/report/compare/types.ts'
import { Blocks } from '../src/trace/blocks.ts'
import type { Lookup } from '../src/trace/lookup.ts'
import { noWaste } from '../src/trace/waste.ts'
import { RECORDINGS, scenarios } from './recordings.ts'

async function dnstrail(line: string): Promise<{ status: number; out: string; err: string }> {
  const out: string[] = []
  const err: string[] = []
  const status = await cli(['node', 'dnstrail', ...line.split(' ')], {
    stdin: { isTTY: true },
    stdout: { isTTY: false, write: text => out.push(text) },
    stderr: { isTTY: false, write: text => err.push(text) },
    env: {},
    onInterrupt: () => {},
  })
  return { status, out: out.join(''), err: err.join('') }
}

const compared = async (line: string): Promise<Comparison> =>
  JSON.parse((await dnstrail(`compare ${line} -o json`)).out)

// -- Chance -------------------------------------------------------------------------------------------------------------------------

/** `n` stretches of ten lookups; `failed(i)` of them failed. */
const stretches = (n: number, failed: (i: number) => number): Sample[] =>
  Array.from({ length: n }, (_, i) => ({ y: failed(i), x: 10 }))

const chance = (before: Sample[], after: Sample[]): number | null =>
  chanceOf(ratioOf(before, true), ratioOf(after, true), true)

describe('chance', () => {
  test('equal sides differ by chance alone', () => {
    expect(
      chance(
        stretches(30, i => i % 3),
        stretches(30, i => (i + 1) % 3),
      ),
    ).toBe(1)
  })

  test('a tenth against a half is more than chance', () => {
    expect(
      chance(
        stretches(30, () => 1),
        stretches(30, () => 5),
      ),
    ).toBeLessThan(1e-6)
  })

  test('one burst of failures is one event, not many', () => {
    const burst = stretches(30, i => (i === 7 ? 9 : 0))
    const spread = stretches(30, i => (i % 3 === 0 ? 1 : 0))
    expect(
      chance(
        stretches(30, () => 0),
        burst,
      ),
    ).toBeGreaterThan(0.2)
    expect(
      chance(
        stretches(30, () => 0),
        spread,
      ),
    ).toBeLessThan(0.01)
  })

  test('two failures of three hundred after none may be chance, thirty are not', () => {
    const none = stretches(30, () => 0)
    expect(
      chance(
        none,
        stretches(30, i => (i < 2 ? 1 : 0)),
      ),
    ).toBeGreaterThan(0.05)
    expect(
      chance(
        none,
        stretches(30, () => 1),
      ),
    ).toBeLessThan(0.001)
  })

  test('two proportions as textbooks have them: 45 and 60 of 100 differ with p = 0.034', () => {
    const alike = (y: number): Sample[] => Array.from({ length: 100 }, (_, i) => ({ y: i < y ? 1 : 0, x: 1 }))
    expect(chance(alike(45), alike(60))).toBeCloseTo(0.034, 2)
  })

  test('too little says nothing', () => {
    expect(
      chance(
        stretches(1, () => 0),
        stretches(30, () => 5),
      ),
    ).toBeNull()
    expect(
      chance(
        [],
        stretches(30, () => 5),
      ),
    ).toBeNull()
  })

  test('the more numbers are looked at, the more each must stand out', () => {
    expect(isBeyondChance([0.02])).toEqual([true])
    expect(isBeyondChance([0.02, 0.5, 0.5, null])).toEqual([false, false, false, false])
    expect(isBeyondChance([0.5, 0.0001, 0.02])).toEqual([false, true, true])
  })
})

test('of comparisons of equals, at most one of twenty says that something differs', () => {
  const next = randomSource(7)
  const uniform = (): number => (next() % 1_000_000) / 1_000_000
  /** A minute in 40 stretches: bursts of lookups, and some stretches in which more of them fail. */
  const minute = (): Sample[] =>
    Array.from({ length: 40 }, () => {
      const x = 5 + Math.floor(uniform() ** 2 * 40)
      const rate = uniform() < 0.15 ? 0.25 : 0.03
      return { y: Array.from({ length: x }, () => uniform() < rate).filter(Boolean).length, x }
    })
  const comparisons = 300
  let wrong = 0
  for (let i = 0; i < comparisons; i++) {
    const chances = Array.from({ length: 12 }, () => chance(minute(), minute()))
    if (isBeyondChance(chances).some(Boolean)) wrong++
  }
  expect(wrong / comparisons).toBeLessThanOrEqual(0.06)
})

test('stretches of time stay few, whatever the length of the capture', () => {
  const blocks = new Blocks()
  for (let i = 0; i < 10_000; i++)
    blocks.addLookup({ start: i * 60e9, wait: 5e6, outcome: 'answered' } as Lookup, { ...noWaste(), queries: 2 })
  const { list } = blocks
  expect(list.length).toBeLessThanOrEqual(64)
  expect(list.reduce((sum, block) => sum + block.queries, 0)).toBe(20_000)
  expect(list.reduce((sum, block) => sum + block.wait.count, 0)).toBe(10_000)
})

// -- Samples ------------------------------------------------------------------------------------------------------------------------

const HEALTHY = 'samples/01-glibc-clusterip.pcap'
const BROKEN = 'samples/04-upstreams-disagree.pcap'

test('a capture compared with itself differs in nothing', async () => {
  const { measures, names, findings } = await compared(`${BROKEN} ${BROKEN}`)
  expect(measures.filter(({ verdict }) => verdict !== 'noise' && verdict !== 'too few')).toEqual([])
  expect(names).toEqual([])
  expect(findings.filter(({ change }) => change !== 'stayed')).toEqual([])
})

test('findings come and go', async () => {
  const changes = ({ findings }: Comparison): string[] => findings.map(({ change, code }) => `${change} ${code}`)
  expect(changes(await compared(`${HEALTHY} ${BROKEN}`))).toContain('came upstreams-disagree')
  expect(changes(await compared(`${BROKEN} ${HEALTHY}`))).toContain('went upstreams-disagree')
})

test.each([
  [`${HEALTHY} ${BROKEN} --fail-on problem`, 1],
  [`${HEALTHY} ${BROKEN} --fail-on upstreams-disagree`, 1],
  [`${HEALTHY} ${BROKEN} --fail-on problem --ignore upstreams-disagree`, 0],
  [`${HEALTHY} ${BROKEN} --fail-on five-second-wait`, 0],
  // There before, so it is not new.
  [`${BROKEN} ${BROKEN} --fail-on problem`, 0],
  [`${BROKEN} ${HEALTHY} --fail-on problem`, 0],
])('compare %s: exit status %i', async (line, status) => {
  expect((await dnstrail(`compare ${line}`)).status).toBe(status)
})

test('several captures are one side', async () => {
  const two = 'samples/02-nodelocal/node-a.pcap samples/02-nodelocal/node-b.pcap'
  const { before, after } = await compared(`--before ${two} --after ${HEALTHY}`)
  expect(before.captures).toEqual(two.split(' '))
  expect(after.captures).toEqual([HEALTHY])
})

test.each([
  [''],
  [HEALTHY],
  [`--before ${HEALTHY}`],
  [`${HEALTHY} ${BROKEN} --after ${BROKEN}`],
  ['- -'],
  [`${HEALTHY} ${BROKEN} -o csv`],
  [`${HEALTHY} nosuch.pcap`],
])('"compare %s" is refused in one sentence', async line => {
  const { status, out, err } = await dnstrail(`compare ${line}`.trim())
  expect({ status, out }).toEqual({ status: 2, out: '' })
  expect(err.trim().split('\n').length).toBe(1)
})

test('captures without a lookup are said to be so', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'dnstrail-compare-')), 'empty.pcap')
  const head = Buffer.alloc(24)
  head.writeUInt32LE(0xa1b2c3d4, 0)
  head.writeUInt16LE(2, 4)
  head.writeUInt16LE(4, 6)
  head.writeUInt32LE(65535, 16)
  head.writeUInt32LE(1, 20)
  writeFileSync(file, head)
  expect((await dnstrail(`compare ${file} ${file}`)).out).toContain('nothing can be compared')
  const whatIf = await dnstrail(`what-if ${file} --ndots 2`)
  expect(whatIf.out).toContain('there is no lookup')
  expect(whatIf.out).not.toContain('dnsConfig')
})

test('the text holds at 80 columns', async () => {
  const { out } = await dnstrail(`compare ${HEALTHY} ${BROKEN}`)
  expect(out.split('\n').filter(line => line.length > 80)).toEqual([])
  expect(out).toContain('came')
})

test('the README shows what it prints', async () => {
  const shown = /<!-- compare -->\n```text\n\$ bin\/dnstrail\.js (.*)\n\n([\s\S]*?)```\n<!-- \/compare -->/.exec(
    readFileSync('README.md', 'utf8'),
  )!
  expect((await dnstrail(shown[1])).out).toBe(shown[2])
})

// -- Real packets -------------------------------------------------------------------------------------------------------------------

const PAIR = ['14-whatif-ndots5', '15-whatif-ndots2']

test.skipIf(PAIR.some(name => !scenarios.includes(name)))(
  'one workload under ndots 5 and 2: fewer queries, less waste, one name lost (skipped without the recordings)',
  async () => {
    const { measures, names, findings } = await compared(
      PAIR.map(name => join(RECORDINGS, name, 'node-a-any.pcap')).join(' '),
    )
    const verdicts = Object.fromEntries(measures.map(({ code, verdict }) => [code, verdict]))
    expect(verdicts).toMatchObject({ queries: 'lower', wasted: 'lower', bytes: 'lower', failed: 'noise' })
    expect(names.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual(['fraud.payments.svc lower'])
    expect(findings.filter(({ change }) => change === 'came')).toEqual([])
  },
)
