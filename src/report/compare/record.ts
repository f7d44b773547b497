/** Two sides become one comparison: what changed by more than noise, which names, and which findings came and went. */
import { type Finding, SEVERITIES } from '../../model.ts'
import { share } from '../../quantities.ts'
import type { Block } from '../../trace/blocks.ts'
import { VERSION } from '../../version.ts'
import type { Report } from '../report-types.ts'
import { chanceOf, isBeyondChance } from './chance.ts'
import { measuresOf } from './measures.ts'
import type { ComparedSide, Comparison, FindingChange, NameRow } from './types.ts'

/** What is kept of one side when its captures are read. */
export interface Side {
  report: Report
  blocks: Block[]
  /** Name -> lookups, and those that were answered. */
  names: ReadonlyMap<string, { lookups: number; answered: number }>
  clients: number
}

/** A rate mixes names; where so many lookups are of names that the other side never asks for, it says little. */
const OTHER_NAMES = 0.1
const MOST_NAMES = 100

export function comparisonOf(before: Side, after: Side): Comparison {
  return {
    version: VERSION,
    before: sideOf(before),
    after: sideOf(after),
    measures: measuresOf(before.blocks, after.blocks),
    names: namesOf(before, after),
    findings: findingsOf(before.report.findings, after.report.findings),
    remarks: [...mix(before, after), ...grades(before, after)],
  }
}

function sideOf({ report, names, clients }: Side): ComparedSide {
  const { seconds, lookups } = report.totals
  const firsts = report.captures.map(({ first }) => first).filter(first => first !== null)
  return {
    captures: report.captures.map(({ file }) => file),
    first: firsts.sort()[0] ?? null,
    seconds,
    lookups,
    lookupsPerSecond: seconds > 0 ? Math.round((lookups / seconds) * 100) / 100 : null,
    clients,
    names: names.size,
    quality: report.quality.grade,
    filters: report.filters,
  }
}

// -- Names ------------------------------------------------------------------------------------------------------------------------------

/** Names of both sides whose answered share differs by more than chance, those that fail more first. */
function namesOf(before: Side, after: Side): NameRow[] {
  const both = [...before.names].flatMap(([name, a]) => {
    const b = after.names.get(name)
    return b === undefined ? [] : [{ name, before: { ...a }, after: { ...b } }]
  })
  const chances = both.map(({ before, after }) => shareChance(before, after))
  const beyond = isBeyondChance(chances)
  return both
    .map((row, i) => {
      const fewer = row.after.answered / row.after.lookups < row.before.answered / row.before.lookups
      return { ...row, chance: chances[i], verdict: fewer ? ('lower' as const) : ('higher' as const) }
    })
    .filter((_, i) => beyond[i])
    .sort((a, b) => Number(b.verdict === 'lower') - Number(a.verdict === 'lower') || a.chance - b.chance)
    .slice(0, MOST_NAMES)
}

/** Fisher's exact test, two-sided: the chance of so uneven a split of the failures between the two sides. */
function shareChance(a: NameRow['before'], b: NameRow['after']): number {
  const failedA = a.lookups - a.answered
  const failed = failedA + b.lookups - b.answered
  const all = a.lookups + b.lookups
  if (failed === 0 || failed === all) return 1
  const log = (n: number): number => {
    // Stirling's series is exact enough from here on, and nothing is added up a million times.
    if (n > 256) return n * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI * n) + 1 / (12 * n)
    let sum = 0
    for (let i = 2; i <= n; i++) sum += Math.log(i)
    return sum
  }
  const choose = (n: number, k: number): number => log(n) - log(k) - log(n - k)
  const least = Math.max(0, failed - b.lookups)
  const most = Math.min(failed, a.lookups)
  // So many steps are no table of one name any more: the two shares as they are.
  if (most - least > 5000) {
    const ratio = (n: number, x: number) => ({ value: n / x, x, variance: ((n / x) * (1 - n / x)) / x, stretches: 30 })
    return chanceOf(ratio(failedA, a.lookups), ratio(failed - failedA, b.lookups), true) ?? 1
  }
  const total = choose(all, failed)
  const weight = (k: number): number => Math.exp(choose(a.lookups, k) + choose(b.lookups, failed - k) - total)
  const seen = weight(failedA)
  let sum = 0
  for (let k = least; k <= most; k++) {
    const p = weight(k)
    if (p <= seen * (1 + 1e-9)) sum += p
  }
  return Math.min(1, sum)
}

// -- Findings ---------------------------------------------------------------------------------------------------------------------------

const rank = ({ severity }: Finding): number => SEVERITIES.indexOf(severity)

/** One row per code: the worst of either side. */
function findingsOf(before: readonly Finding[], after: readonly Finding[]): FindingChange[] {
  const worst = (findings: readonly Finding[], code: string): Finding | null =>
    findings.filter(finding => finding.code === code).sort((a, b) => rank(a) - rank(b) || b.count - a.count)[0] ?? null
  const codes = [...new Set([...after, ...before].map(({ code }) => code))]
  return codes
    .map(code => {
      const [a, b] = [worst(before, code), worst(after, code)]
      const change =
        b === null ? ('went' as const) : a === null || rank(b) < rank(a) ? ('came' as const) : ('stayed' as const)
      return { code, change, before: a, after: b }
    })
    .sort((a, b) => ORDER.indexOf(a.change) - ORDER.indexOf(b.change) || worse(a) - worse(b))
}

const ORDER: readonly FindingChange['change'][] = ['came', 'went', 'stayed']

const worse = ({ before, after }: FindingChange): number => rank((after ?? before) as Finding)

/** The findings that are new on the later side: what --fail-on looks at. */
export const cameIn = ({ findings }: Comparison): Finding[] =>
  findings.filter(({ change }) => change === 'came').flatMap(({ after }) => (after === null ? [] : [after]))

// -- Remarks ----------------------------------------------------------------------------------------------------------------------------

function mix(before: Side, after: Side): string[] {
  const [a, b] = [foreignShare(before, after), foreignShare(after, before)]
  if (Math.max(a, b) < OTHER_NAMES) return []
  return [
    `${share(a, 1)} of the lookups before and ${share(b, 1)} of those after are of names that the other side never asks for: rates may differ for that alone.`,
  ]
}

/** The part of a side's lookups whose names the other side never asks for; 0 where one of them is empty. */
function foreignShare(side: Side, other: Side): number {
  let foreign = 0
  let lookups = 0
  for (const [name, row] of side.names) {
    lookups += row.lookups
    if (!other.names.has(name)) foreign += row.lookups
  }
  return lookups === 0 || other.names.size === 0 ? 0 : foreign / lookups
}

function grades(before: Side, after: Side): string[] {
  return [
    { side: before, when: 'before' },
    { side: after, when: 'after' },
  ]
    .filter(({ side }) => side.report.quality.grade !== 'good')
    .map(
      ({ side, when }) =>
        `the captures ${when} are ${side.report.quality.grade}: ${side.report.quality.remarks.join(' ')}`,
    )
}
