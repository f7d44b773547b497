/** How many lookups, how many failed and how, how long people waited, and what of it was waste. */
import { isFailure, OUTCOMES, type Outcome, type Quantiles, WASTE_KINDS } from '../../model.ts'
import { bytes, count, duration, listed, plural, roughDuration, share } from '../../quantities.ts'
import type { Report } from '../report-types.ts'
import type { ChangeRow } from '../what-if/types.ts'
import { OUTCOME_WORDS, WASTE_WORDS } from '../words.ts'
import { findingCounts } from './findings.ts'
import { labelled, type Page } from './page.ts'

export function totals(report: Report, page: Page): string[] {
  return [
    ...findingCounts(report, page),
    ...labelled('Lookups', lookups(report), page),
    ...labelled('Waits', waits(report.totals), page),
    ...labelled('Waste', [...waste(report), ...bestChange(report)], page),
  ]
}

/** With more of which nobody knows how they ended, a share of all would say that fewer failed than did. */
const MANY_UNTOLD = 0.05

function lookups({ totals }: Report): string[] {
  if (totals.lookups === 0) {
    return [totals.messages === 0 ? 'none: there is no DNS message in the capture' : 'none', ...uncounted(totals)]
  }
  // Nobody knows how these ended.
  const untold = totals.outcomes['not-captured'] + totals.outcomes['capture-ended']
  const told = totals.lookups - untold
  if (told === 0)
    return [`${count(totals.lookups)}; how many failed is not known, as no end was captured`, ...uncounted(totals)]
  const failures = failureCounts(totals.outcomes)
  const { nodata } = totals.outcomes
  // "None failed" alone would hide that somebody got no address.
  const isEmpty = totals.failed === 0 && nodata > 0
  const others = outcomeCounts(totals.outcomes, outcome => !isFailure(outcome) && !(isEmpty && outcome === 'nodata'))
  const isTold = untold <= MANY_UNTOLD * totals.lookups
  const of = isTold ? count(totals.lookups) : `the ${count(told)} whose end was captured`
  const failed =
    totals.failed > 0
      ? `${count(totals.failed)} of ${of} failed (${share(totals.failed, isTold ? totals.lookups : told)})`
      : isTold
        ? `${of}, none failed`
        : `none of ${of} failed`
  const empty = isEmpty ? `, but ${count(nodata)} got an empty answer` : ''
  return [`${failed}${empty}: ${[failures, others].filter(Boolean).join('; ')}`, ...uncounted(totals)]
}

const uncounted = ({ infrastructure }: Report['totals']): string[] =>
  infrastructure === 0
    ? []
    : [`not counted: ${plural(infrastructure, 'query', 'queries')} by the DNS servers to check each other`]

/** "2 no such name, 1 unanswered", the most frequent first. */
function outcomeCounts(outcomes: Record<Outcome, number>, wanted: (outcome: Outcome) => boolean): string {
  return OUTCOMES.filter(outcome => outcomes[outcome] > 0 && wanted(outcome))
    .sort((a, b) => outcomes[b] - outcomes[a])
    .map(outcome => `${count(outcomes[outcome])} ${OUTCOME_WORDS[outcome]}`)
    .join(', ')
}

/** Only the failures. */
export const failureCounts = (outcomes: Record<Outcome, number>): string => outcomeCounts(outcomes, isFailure)

export function waits({ wait, lookups }: { wait: Quantiles; lookups: number }): string[] {
  if (wait.max === null || wait.p50 === null) return []
  if (lookups === 1) return [`${duration(wait.max)}`]
  const parts = [
    `longest ${duration(wait.max)}; half within ${roughDuration(wait.p50)}`,
    wait.p90 === null ? '' : `90 % ${roughDuration(wait.p90)}`,
    wait.p99 === null ? '' : `99 % ${roughDuration(wait.p99)}`,
  ]
  return [parts.filter(Boolean).join(', ')]
}

function waste({ waste }: Report): string[] {
  if (waste.queries === 0) return []
  const queries = plural(waste.queries, 'query', 'queries')
  if (waste.wasted === 0)
    return [waste.queries === 1 ? 'none: the only query was needed' : `none: all ${queries} were needed`]
  const nxdomain = waste.nxdomain ? `, ${count(waste.nxdomain)} with NXDOMAIN (no such name)` : ''
  const sentences = [`${count(waste.wasted)} of ${queries} (${share(waste.wasted, waste.queries)}) wasted${nxdomain}`]
  const cost = [
    waste.bytes === null
      ? ''
      : bytes(waste.bytes) + (waste.totalBytes === null ? '' : ` of ${bytes(waste.totalBytes)}`),
    waste.waitMs ? `${roughDuration(waste.waitMs)} of waiting${silentWait(waste)}` : '',
    waste.reachedCoredns === null ? '' : `${count(waste.reachedCoredns)} reached CoreDNS`,
    waste.leftCluster === null ? '' : `${count(waste.leftCluster)} left the cluster`,
  ]
  sentences.push(`cost: ${cost.filter(Boolean).join(', ')}`)
  if (waste.nxdomain && waste.nxdomain < waste.wasted) {
    const denied = [
      waste.nxdomainBytes === null ? '' : bytes(waste.nxdomainBytes),
      waste.nxdomainWaitMs ? `${roughDuration(waste.nxdomainWaitMs)} of waiting` : '',
    ].filter(Boolean)
    if (denied.length > 0) sentences.push(`NXDOMAIN alone: ${denied.join(', ')}`)
  }
  const kinds = WASTE_KINDS.filter(kind => waste[kind] > 0).sort((a, b) => waste[b] - waste[a])
  sentences.push(`why: ${kinds.map(kind => `${count(waste[kind])} ${WASTE_WORDS[kind]}`).join(', ')}`)
  return sentences
}

/** Below this part of the waiting it is no word worth. */
const MUCH_SILENT = 0.1
const ALL_SILENT = 0.99

/** Who reads what search domains cost would think that a shorter list spares it. */
function silentWait({ waitMs, silentWaitMs }: Report['waste']): string {
  if (!waitMs || silentWaitMs === null || silentWaitMs < MUCH_SILENT * waitMs) return ''
  return ` (${silentWaitMs >= ALL_SILENT * waitMs ? 'all' : roughDuration(silentWaitMs)} of it for answers that did not come)`
}

/** Fewer show little of what else a cluster asks for. */
const FEW_LOOKUPS = 20

/** Another change is worth a word where it saves so much more than the best one that breaks nothing. */
const MUCH_MORE = 1.25
/** Names in a sentence. */
const MOST_NAMES = 2

/** "best single change: ndots 2 saves 131 queries and 1.6 s; nothing would stop resolving". */
function bestChange({ changes, totals, findings }: Report): string[] {
  // Where something is broken, or nothing resolves, there is another thing to mend; what-if tells all the same.
  if (findings.some(({ severity }) => severity === 'problem')) return []
  if (totals.outcomes.answered + totals.outcomes['not-captured'] === 0) return []
  const trouble = ({ stops, outside }: ChangeRow): number => stops.length + outside.length
  const best = changes.find(change => trouble(change) === 0)
  const other = changes
    .filter(change => trouble(change) > 0 && change.queries >= MUCH_MORE * (best?.queries ?? 0))
    .sort((a, b) => trouble(a) - trouble(b) || b.queries - a.queries)[0]
  const saves = ({ queries, waitMs }: ChangeRow): string =>
    `${plural(queries, 'query', 'queries')}${waitMs >= 1 && totals.wait.max !== null ? ` and ${roughDuration(waitMs)}` : ''}`
  const sentences: string[] = []
  const isTold = totals.outcomes['not-captured'] * 2 <= totals.lookups
  const still = !isTold
    ? 'whether all names would still be found only answers show'
    : totals.lookups < FEW_LOOKUPS
      ? 'no name of this capture would stop resolving'
      : 'nothing would stop resolving'
  if (best) sentences.push(`best single change: ${best.what} saves ${saves(best)}; ${still}`)
  if (other) {
    const names =
      other.stops.length > 0
        ? `${listed(other.stops, MOST_NAMES)} would stop resolving`
        : `${listed(other.outside, MOST_NAMES)} would be asked on the Internet first`
    sentences.push(`${other.what} would save ${saves(other)}, but ${names} (dnstrail what-if ${other.options})`)
  }
  return sentences
}
