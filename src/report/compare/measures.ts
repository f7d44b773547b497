/** What is compared: each measure is a row here, computed from the stretches of time of either side. */
import { failuresOf, type Outcome, type Role } from '../../model.ts'
import type { Block, EdgeBlock } from '../../trace/blocks.ts'
import { Histogram } from '../../trace/quantiles.ts'
import { OUTCOME_WORDS, ROLE_WORDS } from '../words.ts'
import { chanceOf, isBeyondChance, ratioOf, type Sample } from './chance.ts'
import type { MeasureRow } from './types.ts'

interface Measure<Of> {
  code: string
  what: string
  unit: MeasureRow['unit']
  /** y of x, per stretch. */
  sample: (block: Of) => Sample
  /** What is shown of y / x. */
  scale?: number
}

const share = (code: string, what: string, y: (b: Block) => number, x: (b: Block) => number): Measure<Block> => ({
  code,
  what,
  unit: 'share',
  sample: block => ({ y: y(block), x: x(block) }),
})

const lookups = (block: Block): number => block.lookups

const failed = ({ outcomes }: Block): number => failuresOf(outcomes)

/** Outcomes that are worth a row of their own. */
const FAILURES: readonly Outcome[] = ['nxdomain', 'servfail', 'refused', 'unanswered', 'other']

const OF_LOOKUPS: readonly Measure<Block>[] = [
  share('failed', 'failed', failed, lookups),
  ...FAILURES.map(outcome =>
    share(`failed-${outcome}`, `  ${OUTCOME_WORDS[outcome]}`, block => block.outcomes[outcome], lookups),
  ),
  { code: 'queries', what: 'queries each', unit: 'count', sample: b => ({ y: b.queries, x: b.lookups }) },
  share(
    'wasted',
    'wasted queries',
    block => block.wasted,
    block => block.queries,
  ),
  share(
    'nxdomain',
    '  with NXDOMAIN',
    block => block.nxdomain,
    block => block.queries,
  ),
  { code: 'bytes', what: 'bytes each', unit: 'bytes', sample: b => ({ y: b.bytes, x: b.lookups }) },
  {
    code: 'wasted-wait',
    what: 'wasted waiting each',
    unit: 'ms',
    sample: b => ({ y: b.wastedWait, x: b.lookups }),
    scale: 1e-6,
  },
]

const OF_EDGES: readonly Measure<EdgeBlock>[] = [
  { code: 'unanswered', what: 'no reply', unit: 'share', sample: e => ({ y: e.unanswered, x: e.hops }) },
  { code: 'servfail', what: 'server failure', unit: 'share', sample: e => ({ y: e.servfail, x: e.hops }) },
  { code: 'cache', what: 'from its cache', unit: 'share', sample: e => ({ y: e.cacheHits, x: e.cacheKnown }) },
]

/** `least`: with fewer samples than this the highest of a hundred says nothing. */
const QUANTILES = [
  { name: 'p50', at: 0.5, least: 20 },
  { name: 'p90', at: 0.9, least: 100 },
  { name: 'p99', at: 0.99, least: 1000 },
] as const

/** A histogram tells durations apart only from here on. */
const HISTOGRAM_ERROR = 0.02

type Untested = Omit<MeasureRow, 'verdict'>

/** The rows, with a verdict that holds for all of them together. */
export function measuresOf(before: readonly Block[], after: readonly Block[]): MeasureRow[] {
  const rows: Untested[] = [
    ...OF_LOOKUPS.map(measure => rowOf(measure, 'lookups', before, after)),
    ...quantileRows('wait', 'lookups', before, after, block => block.wait),
  ]
  for (const key of edgeKeys([...before, ...after])) {
    const [from, to] = key.split(' ') as [Role, Role]
    const group = `${ROLE_WORDS[from]} -> ${ROLE_WORDS[to]}`
    const edges = (blocks: readonly Block[]): EdgeBlock[] =>
      blocks.map(block => block.edges.get(key)).filter(edge => edge !== undefined)
    const [edgesBefore, edgesAfter] = [edges(before), edges(after)]
    // What load a lookup is further in.
    const each: Measure<Block> = {
      code: `hops:${key}`,
      what: 'queries per lookup',
      unit: 'count',
      sample: block => ({ y: block.edges.get(key)?.hops ?? 0, x: block.lookups }),
    }
    rows.push(
      rowOf(each, group, before, after),
      ...OF_EDGES.map(m => rowOf({ ...m, code: `${m.code}:${key}` }, group, edgesBefore, edgesAfter)),
      ...quantileRows('wait', group, edgesBefore, edgesAfter, edge => edge.wait, `:${key}`),
    )
  }
  const shown = rows.filter(says)
  const beyond = isBeyondChance(shown.map(({ chance }) => chance))
  return shown.map((row, i) => ({ ...row, verdict: verdictOf(row, beyond[i]) }))
}

/** Most hops first. */
function edgeKeys(blocks: readonly Block[]): string[] {
  const hops = new Map<string, number>()
  for (const block of blocks) for (const [key, edge] of block.edges) hops.set(key, (hops.get(key) ?? 0) + edge.hops)
  return [...hops].sort((a, b) => b[1] - a[1]).map(([key]) => key)
}

function rowOf<Of>(measure: Measure<Of>, group: string, before: readonly Of[], after: readonly Of[]): Untested {
  const { code, what, unit, sample, scale = 1 } = measure
  const isShare = unit === 'share'
  const [a, b] = [ratioOf(before.map(sample), isShare), ratioOf(after.map(sample), isShare)]
  const shown = (value: number | null): number | null => (value === null ? null : value * scale)
  return {
    code,
    what,
    group,
    unit,
    before: shown(a.value),
    after: shown(b.value),
    samplesBefore: a.x,
    samplesAfter: b.x,
    chance: chanceOf(a, b, isShare),
  }
}

/** Two quantiles differ where the shares of waits above their common value do. */
function quantileRows<Of>(
  code: string,
  group: string,
  before: readonly Of[],
  after: readonly Of[],
  waitOf: (block: Of) => Histogram,
  end = '',
): Untested[] {
  const sum = (...sides: (readonly Of[])[]): Histogram => {
    const all = new Histogram()
    for (const blocks of sides) for (const block of blocks) all.merge(waitOf(block))
    return all
  }
  const [a, b, both] = [sum(before), sum(after), sum(before, after)]
  return QUANTILES.filter(({ least }) => Math.min(a.count, b.count) >= least).map(({ name, at }) => {
    const threshold = both.at(at) as number
    const above = (blocks: readonly Of[]): Sample[] =>
      blocks.map(block => ({ y: waitOf(block).countAbove(threshold), x: waitOf(block).count }))
    const [x, y] = [a.at(at) as number, b.at(at) as number]
    const isSame = Math.abs(y - x) <= HISTOGRAM_ERROR * Math.max(x, y)
    return {
      code: `${code}-${name}${end}`,
      what: `wait ${name}`,
      group,
      unit: 'ms' as const,
      before: x,
      after: y,
      samplesBefore: a.count,
      samplesAfter: b.count,
      chance: isSame ? 1 : chanceOf(ratioOf(above(before), true), ratioOf(above(after), true), true),
    }
  })
}

/** A row of zeros, or of what was not captured, says nothing. */
const says = ({ before, after }: Untested): boolean => (before ?? 0) !== 0 || (after ?? 0) !== 0

function verdictOf({ before, after, chance }: Untested, isBeyond: boolean): MeasureRow['verdict'] {
  if (chance === null || before === null || after === null) return 'too few'
  if (!isBeyond) return 'noise'
  return after > before ? 'higher' : 'lower'
}
