/** The short report of a span: `dnstrail watch --every`. A few lines with the time on the left, so that a column of them can be read down. */
import type { Quantiles } from '../../model.ts'
import { count, duration, milliseconds, plural, roughDuration, share, timeOfDay } from '../../quantities.ts'
import { paint } from '../paint.ts'
import type { EdgeRow, Glance } from '../report-types.ts'
import { shorten } from '../shorten.ts'
import { ROLE_WORDS } from '../words.ts'
import { labelled, type Page } from './page.ts'
import { failureCounts } from './totals.ts'
import { named } from './waste.ts'

/** A name in a sentence is no longer than this. */
const LONGEST_NAME = 34

export function glanceText(glance: Glance, { width, color }: { width: number; color: boolean }): string {
  const page: Page = { width, paint: paint(color) }
  const label = timeOfDay(glance.start).slice(0, 8)
  return `${labelled(label, sentences(glance), page).join('\n')}\n`
}

function sentences(glance: Glance): string[] {
  const { lookups, waste, wait } = glance
  if (lookups === 0 && waste.queries === 0)
    return [`nothing was asked for ${rounded(glance.seconds)} s`, ...lost(glance)]
  return [
    `${lookupsIn(glance)}; ${perSecond(waste.queries, glance.seconds, 'query', 'queries')}`,
    ...waited(wait),
    ...wasted(glance),
    ...glance.edges.filter(({ server }) => server === null).map(hop),
    ...lost(glance),
  ]
}

/** "12 lookups/s, 3 failed (2.5 %): 2 unanswered, 1 server failure". */
export function lookupsIn({ lookups, failed, outcomes, seconds }: Glance): string {
  const rate = perSecond(lookups, seconds, 'lookup', 'lookups')
  return failed === 0
    ? `${rate}, none failed`
    : `${rate}, ${count(failed)} failed (${share(failed, lookups)}): ${failureCounts(outcomes)}`
}

/** "120 queries (12/s)". */
export function perSecond(n: number, seconds: number, one: string, many: string): string {
  const rate = n / seconds
  const text = rate >= 9.95 || Number.isInteger(rate) ? count(Math.round(rate)) : rate.toFixed(rate < 0.095 ? 2 : 1)
  return seconds === 1 ? plural(n, one, many) : `${plural(n, one, many)} (${text}/s)`
}

function waited({ p50, p99, max }: Quantiles): string[] {
  if (max === null) return []
  return [`waited p50 ${roughDuration(p50)}, p99 ${roughDuration(p99)}, max ${duration(max)}`]
}

/** With the client and the name that wasted most. */
function wasted({ waste, clients }: Glance): string[] {
  if (waste.wasted === 0) return []
  const nxdomain = waste.nxdomain ? `, ${count(waste.nxdomain)} NXDOMAIN` : ''
  const worst = [
    ...waste.byClient.slice(0, 1).map(row => shorten(named(row, clients).key, LONGEST_NAME, 'head')),
    ...waste.byName.slice(0, 1).map(row => shorten(row.key, LONGEST_NAME, 'tail')),
  ]
  return [
    `wasted ${count(waste.wasted)} (${share(waste.wasted, waste.queries)})${nxdomain}`,
    `most by ${worst[0]}, for ${worst[1]}`,
  ]
}

function hop({ from, to, count: times, unanswered, wait }: EdgeRow): string {
  const silent = unanswered ? `, ${count(unanswered)} without reply` : ''
  const quantiles =
    wait.p50 === null
      ? ''
      : `, p50 ${milliseconds(wait.p50)} p99 ${milliseconds(wait.p99)} max ${milliseconds(wait.max)} ms`
  return `${ROLE_WORDS[from]} -> ${ROLE_WORDS[to]}: ${count(times)}${quantiles}${silent}`
}

function lost({ dropped }: Glance): string[] {
  return dropped === null || dropped === 0 ? [] : [`lost: ${plural(dropped, 'event')}`]
}

const rounded = (seconds: number): string => String(Math.round(seconds * 10) / 10)
