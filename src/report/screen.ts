/**
 * The screen of `dnstrail watch`: what the last minute of a live capture was like, as many lines as the terminal has. A pure function;
 * what has no room is told in fewer rows, and the report at the end has all of it.
 */
import type { Capture, Outcome } from '../model.ts'
import { count, duration, plural, share, timeOfDay } from '../quantities.ts'
import type { Column } from './columns.ts'
import type { Paint } from './paint.ts'
import type { EndpointRecord } from './record-types.ts'
import type { Glance } from './report-types.ts'
import { shorten } from './shorten.ts'
import { tableLines } from './table.ts'
import { lookupsIn, perSecond } from './text/glance.ts'
import { latency } from './text/latency.ts'
import { labelled, type Page, pageOf } from './text/page.ts'
import { waits } from './text/totals.ts'
import { wasteTable } from './text/waste.ts'
import { BROKEN_OUTCOMES, OUTCOME_WORDS, who } from './words.ts'

/** A lookup that did not get what was asked. */
export interface Failure {
  /** RFC 3339. */
  start: string
  client: EndpointRecord
  name: string
  outcome: Outcome
  waitMs: number | null
}

export interface Watched {
  files: readonly string[]
  captures: readonly Capture[]
  /** Since the first message, on the capture's clock. */
  seconds: number
  lookups: number
  failed: number
  queries: number
  wasted: number
  /** The last minute; null before the first message. */
  recent: Glance | null
  /** The latest first. */
  failures: readonly Failure[]
}

export interface ScreenSize {
  columns: number
  rows: number
  color: boolean
}

/** How much is told where there is room for it: the first that fits. */
const DETAIL: readonly { servers: number; wasteful: number; lists: number; failures: number }[] = [
  { servers: 4, wasteful: 5, lists: 3, failures: 10 },
  { servers: 3, wasteful: 3, lists: 3, failures: 6 },
  { servers: 0, wasteful: 2, lists: 3, failures: 4 },
  { servers: 0, wasteful: 2, lists: 2, failures: 3 },
  { servers: 0, wasteful: 1, lists: 2, failures: 3 },
  { servers: 0, wasteful: 1, lists: 2, failures: 1 },
  { servers: 0, wasteful: 1, lists: 1, failures: 1 },
]

const FAILURE_COLUMNS: readonly Column<Failure>[] = [
  { key: 'start', title: 'Failures', value: f => f.start, text: f => `  ${timeOfDay(f.start).slice(0, 8)}` },
  { key: 'client', title: 'client', value: f => who(f.client), keep: 'head', least: 10 },
  { key: 'name', title: 'name', value: f => f.name, keep: 'tail', least: 16 },
  {
    key: 'outcome',
    title: 'outcome',
    value: f => f.outcome,
    text: f => OUTCOME_WORDS[f.outcome],
    color: f => (BROKEN_OUTCOMES.has(f.outcome) ? 'bad' : null),
  },
  { key: 'waitMs', title: 'wait', value: f => f.waitMs, text: f => duration(f.waitMs), align: 'right' },
]

/** At most as many lines as the screen has rows. */
export function screenLines(watched: Watched, { columns, rows, color }: ScreenSize): string[] {
  const page = pageOf({ width: columns, color })
  const head = headLines(watched, page)
  const foot = footLine(page.width, page.paint)
  const room = rows - head.length - 2
  let blocks: string[][] = []
  for (const detail of DETAIL) {
    blocks = bodyBlocks(watched, page, detail).filter(lines => lines.length > 0)
    if (blocks.reduce((n, lines) => n + lines.length + 1, 0) <= room) break
  }
  const body = blocks.flatMap(lines => ['', ...lines]).slice(0, Math.max(0, room))
  return [...head, ...body, ...(rows > head.length + 1 ? ['', foot] : [])].slice(0, rows)
}

function footLine(width: number, { faint }: Paint): string {
  return faint(shorten('Ctrl-C ends and prints the report of all that was seen.', width, 'start'))
}

function headLines(watched: Watched, page: Page): string[] {
  const { captures, recent, seconds } = watched
  const clock = recent === null ? '' : `, now ${timeOfDay(recent.end).slice(0, 8)} UTC`
  const lines = labelled(
    'Watching',
    [`${source(watched)}: ${recent === null ? 'nothing came yet' : `${span(seconds)}${clock}`}`],
    page,
  )
  if (recent !== null) {
    lines.push(...labelled('In all', [allOf(watched)], page))
    lines.push(...labelled('Last min', lastMinute(recent), page))
    lines.push(...labelled('Waits', waits(recent), page))
  }
  const lost = captures.reduce((n, { dropped }) => n + (dropped ?? 0), 0)
  const unread = captures.reduce((n, { issueFrames }) => n + issueFrames, 0)
  const troubles = [
    lost > 0 ? `${plural(lost, 'event')} lost before they came here: what was in them looks unanswered` : '',
    unread > 0
      ? `${plural(unread, captures.every(({ lines }) => lines !== null) ? 'line' : 'frame')} could not be read`
      : '',
  ].filter(Boolean)
  lines.push(...labelled('Missing', troubles, page).map(page.paint.warn))
  return lines
}

/** Whole seconds are enough: "9 s", "3 min 12 s". */
const span = (seconds: number): string => (seconds < 120 ? `${Math.floor(seconds)} s` : duration(seconds * 1000))

function source({ files, captures }: Watched): string {
  const formats = [...new Set(captures.flatMap(({ format }) => format ?? []))].join(' and ')
  const name = files.length > 1 ? plural(files.length, 'input') : files[0] === '-' ? 'standard input' : files[0]
  return formats === '' ? `${name}` : `${name} (${formats})`
}

const allOf = ({ lookups, failed, queries, wasted }: Watched): string =>
  [
    `${plural(lookups, 'lookup')}, ${failed === 0 ? 'none failed' : `${count(failed)} failed (${share(failed, lookups)})`}`,
    `${plural(queries, 'query', 'queries')}${queries > 0 ? `, ${share(wasted, queries)} wasted` : ''}`,
  ].join('; ')

function lastMinute(recent: Glance): string[] {
  const { waste, seconds } = recent
  if (recent.lookups === 0) return ['no lookup ended']
  const wasted = waste.wasted > 0 ? `, ${share(waste.wasted, waste.queries)} wasted` : ', none wasted'
  const nxdomain = waste.nxdomain ? `, ${share(waste.nxdomain, waste.queries)} NXDOMAIN` : ''
  return [lookupsIn(recent), `${perSecond(waste.queries, seconds, 'query', 'queries')}${wasted}${nxdomain}`]
}

function bodyBlocks({ recent, failures }: Watched, page: Page, detail: (typeof DETAIL)[number]): string[][] {
  if (recent === null) return []
  return [
    latency(recent, page, detail.servers, false),
    wasteTable({ waste: recent.waste, endpoints: recent.clients }, page, detail.wasteful, detail.lists),
    failures.length === 0
      ? []
      : tableLines(
          FAILURE_COLUMNS,
          failures.slice(0, detail.failures).map(row => ({ row })),
          page.width,
          page.paint,
        ),
  ]
}
