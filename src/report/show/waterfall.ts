/**
 * The picture: every hop a bar on one time axis, its numbers beside it. The bars need room; numbers that leave it no room stand in a
 * table below. Plain characters, so that it can be pasted anywhere, and nothing is said by colour alone.
 */
import { duration } from '../../quantities.ts'
import { type Column, cellText } from '../columns.ts'
import { escapeText } from '../escape.ts'
import { GAP } from '../layout.ts'
import type { CandidateRecord, HopRecord } from '../record-types.ts'
import { shorten } from '../shorten.ts'
import { tableLines } from '../table.ts'
import { note, type Page } from '../text/page.ts'
import { BROKEN_OUTCOMES, hopOutcome, OUTCOME_WORDS } from '../words.ts'
import { type Axis, axis, BREAK, signed } from './axis.ts'
import { type Branch, branches, millisecondsBetween } from './branches.ts'
import type { Shown } from './choice.ts'
import { frameSpan, frameSpans } from './frames.ts'
import { type ServerName, serverNames } from './servers.ts'
import { events } from './silence.ts'

/** Fewer columns make no picture. */
const LEAST_BAR = 26
/** Part of the screen's width. */
const MOST_LABEL = 0.4

const WAITING = '='
const SILENT = '-'
const HALF = '.'
const AGAIN = 'R'

type HopBranch = Extract<Branch, { hop: HopRecord }>

export function waterfall(shown: Shown, page: Page): string[] {
  const { lookup, hops } = shown
  if (hops.length === 0) return []
  const lines = branches(shown)
  const hopLines = lines.filter((line): line is HopBranch => 'hop' in line)
  const name = serverNames(hops)
  const columns = numbers(shown)
  const labels = new Map(hopLines.map(line => [line, label(line, name)]))
  const idWidth = Math.max(2, ...hops.map(({ id }) => id.length))
  const labelWidth = Math.min(
    Math.floor(page.width * MOST_LABEL),
    Math.max('query'.length, ...[...labels.values()].map(text => text.length)),
  )
  const left = idWidth + 1 + labelWidth + GAP
  const { beside, below, widths } = shared(columns, hops, lookup.candidates, page.width - left)
  const barWidth = page.width - left - widths.reduce((sum, width) => sum + GAP + width, 0)
  const time = axis(events(shown), barWidth)

  const cells = (cell: (column: Column<HopRecord>, width: number) => string) =>
    beside.map((column, i) => {
      const text = shorten(cell(column, widths[i]), widths[i], 'start')
      return ' '.repeat(GAP) + (column.align === 'right' ? text.padStart(widths[i]) : text.padEnd(widths[i]))
    })
  const paintRow = (texts: string[], hop: HopRecord) =>
    texts.map((text, i) => {
      const color = beside[i].color?.(hop)
      return color ? page.paint[color](text) : text
    })
  const head = `${'id'.padEnd(idWidth)} ${'query'.padEnd(labelWidth + GAP)}${time.head}${cells(column => column.title).join('')}`
  return [
    page.paint.head(head.trimEnd()),
    ...lines.map(line => {
      if ('candidate' in line) {
        const text = shorten(
          escapeText(candidateName(line.candidate, lookup.candidates)),
          left + barWidth - GAP,
          'tail',
        )
        const facts = cells(column => candidateCell(column, line.candidate)).join('')
        return (page.paint.head(text) + ' '.repeat(left + barWidth - text.length) + facts).trimEnd()
      }
      const { hop } = line
      const text = shorten(labels.get(line)!, labelWidth, 'head').padEnd(labelWidth + GAP)
      const facts = paintRow(
        cells(column => cellText(column, hop)),
        hop,
      ).join('')
      return `${hop.id.padEnd(idWidth)} ${text}${bar(hop, lookup.start, time)}${facts}`.trimEnd()
    }),
    ...waitedUntil(lookup.waitMs, time, left, page.width).map(page.paint.faint),
    ...note(legend(hops, time), page),
    ...(below.length === 0 ? [] : ['', ...inNumbers(hopLines, labels, below, page)]),
  ]
}

/** "A node-local cache tcp x2": what the line above says is not said again. */
function label({ hop, prefix, above }: HopBranch, name: ServerName): string {
  const type = hop.qtype === above.qtype ? '' : `${(hop.qtype ?? '?').padEnd(4)} `
  const tcp = hop.transport === 'tcp' ? ' tcp' : ''
  const times = hop.retransmissions > 0 ? ` x${hop.retransmissions + 1}` : ''
  const other = hop.qname !== null && above.qname !== null && hop.qname !== above.qname ? ` for ${hop.qname}` : ''
  return escapeText(prefix + type + name(hop) + tcp + times + other)
}

/** Where there is a search list it matters which candidate is the name itself. */
function candidateName({ name, suffix }: CandidateRecord, all: readonly CandidateRecord[]): string {
  return suffix === null && all.length > 1 ? `${name} (as given)` : name
}

function candidateCell(column: Column<HopRecord>, candidate: CandidateRecord): string {
  if (column.key === 'outcome') return OUTCOME_WORDS[candidate.outcome]
  return column.key === 'waitMs' ? duration(candidate.waitMs) : ''
}

// -- Numbers ----------------------------------------------------------------------------------------------------------------

/** In the order in which they stand beside the bars; the highest `drop` leaves first. */
function numbers({ lookup, hops }: Shown): Column<HopRecord>[] {
  const severalFiles = inSeveralFiles(hops)
  const columns: Column<HopRecord>[] = [
    {
      key: 'start',
      title: 'start',
      value: hop => millisecondsBetween(lookup.start, hop.start),
      text: hop => signed(millisecondsBetween(lookup.start, hop.start)),
      align: 'right',
      drop: 1,
    },
    { key: 'waitMs', title: 'wait', value: hop => hop.waitMs, text: hop => duration(hop.waitMs), align: 'right' },
    {
      key: 'ownMs',
      title: 'own',
      value: hop => hop.ownMs,
      text: hop => duration(ownTime(hop)),
      align: 'right',
      drop: 2,
    },
    {
      key: 'outcome',
      title: 'outcome',
      value: hop => hop.outcome,
      text: hopOutcome,
      color: hop => (BROKEN_OUTCOMES.has(hop.outcome) ? 'bad' : null),
    },
    { key: 'servedFrom', title: 'served from', value: hop => hop.servedFrom, drop: 3 },
    { key: 'frames', title: 'frames', value: hop => frameSpan(hop.frames, severalFiles), drop: 4 },
  ]
  // A column with nothing to tell takes no room.
  return columns.filter(column => column.drop === undefined || hops.some(hop => cellText(column, hop) !== ''))
}

const inSeveralFiles = (hops: readonly HopRecord[]): boolean =>
  new Set(hops.flatMap(({ frames }) => frames.map(({ file }) => file))).size > 1

/** Said only where others took part of the wait. */
const ownTime = (hop: HopRecord): number | null => (hop.ownMs === hop.waitMs ? null : hop.ownMs)

interface Shares {
  beside: Column<HopRecord>[]
  /** Widths of the columns beside the bars. */
  widths: number[]
  below: Column<HopRecord>[]
}

/** The columns for which the bars have room, and those for which they have none. */
function shared(
  columns: Column<HopRecord>[],
  hops: HopRecord[],
  candidates: readonly CandidateRecord[],
  room: number,
): Shares {
  const width = (column: Column<HopRecord>) =>
    Math.max(
      column.title.length,
      ...hops.map(hop => cellText(column, hop).length),
      ...candidates.map(candidate => candidateCell(column, candidate).length),
    )
  let beside = columns
  const bar = () => room - beside.reduce((sum, column) => sum + GAP + width(column), 0)
  while (bar() < LEAST_BAR) {
    const leaving = beside.reduce((a, b) => ((b.drop ?? 0) > (a.drop ?? 0) ? b : a))
    if (leaving.drop === undefined) break
    beside = beside.filter(column => column !== leaving)
  }
  return { beside, widths: beside.map(width), below: columns.filter(column => !beside.includes(column)) }
}

/** What found no room beside the bars. */
function inNumbers(
  lines: HopBranch[],
  labels: Map<HopBranch, string>,
  columns: Column<HopRecord>[],
  page: Page,
): string[] {
  const severalFiles = inSeveralFiles(lines.map(({ hop }) => hop))
  const id: Column<HopBranch> = { key: 'id', title: 'id', value: ({ hop }) => hop.id }
  const query: Column<HopBranch> = {
    key: 'query',
    title: 'query',
    value: line => labels.get(line)!,
    text: line => labels.get(line)!.replace(/^ {2}/, ''),
    keep: 'head',
  }
  const rest = columns.map(
    ({ drop: _, color: __, value, text, ...column }): Column<HopBranch> => ({
      ...column,
      value: ({ hop }) => value(hop),
      text: text ? ({ hop }) => text(hop) : ({ hop }) => String(value(hop) ?? ''),
      ...(column.key === 'frames'
        ? { keep: 'start', text: ({ hop }: HopBranch) => frameSpans(hop.frames, severalFiles) }
        : {}),
    }),
  )
  return tableLines(
    [id, query, ...rest],
    lines.map(row => ({ row })),
    page.width,
    page.paint,
  )
}

// -- Bars -------------------------------------------------------------------------------------------------------------------

/** One direction of it alone was captured: nobody knows how long it took. */
const isHalf = ({ waitMs, outcome, rcode }: HopRecord): boolean =>
  waitMs === null && (outcome === 'not-captured' || (rcode !== null && outcome !== 'unanswered'))

/** One without a response stays open to the end of the axis: nobody knows when the client stopped to hope. */
function bar(hop: HopRecord, origin: string, time: Axis): string {
  const { start, waitMs, resentMs } = hop
  const begin = millisecondsBetween(origin, start)
  const cells = Array<string>(time.width).fill(' ')
  const first = time.column(begin)
  if (isHalf(hop)) cells[first] = HALF
  else {
    const last = waitMs === null ? time.width - 1 : time.column(begin + waitMs)
    cells.fill(waitMs === null ? SILENT : WAITING, first, last + 1)
  }
  for (const ms of resentMs) cells[time.column(begin + ms)] = AGAIN
  for (const { first, last } of time.breaks) {
    for (let i = 0; i < BREAK.length; i++) cells[first + i] = cells[last - i] = BREAK[i]
  }
  return cells.join('')
}

/** Servers may work on when the application has long had its answer, or has given up. */
function waitedUntil(waitMs: number | null, time: Axis, left: number, width: number): string[] {
  const column = waitMs === null ? time.width : time.column(waitMs)
  if (column >= time.width - 1) return []
  const words = `waited until here, ${duration(waitMs)}`
  const at = left + column
  return [at + 2 + words.length <= width ? `${' '.repeat(at)}^ ${words}` : `${words} ^`.padStart(at + 1)]
}

function legend(hops: HopRecord[], time: Axis): string {
  const marks = [
    hops.some(({ waitMs }) => waitMs !== null) ? `${WAITING} until the response` : '',
    hops.some(hop => hop.waitMs === null && !isHalf(hop)) ? `${SILENT} no response came` : '',
    hops.some(isHalf) ? `${HALF} its query, or its response, was not captured` : '',
    hops.some(({ retransmissions }) => retransmissions > 0) ? `${AGAIN} sent again (x2: sent twice)` : '',
    time.breaks.length > 0 ? `${BREAK} nothing happened, cut out` : '',
    hops.some(hop => ownTime(hop) !== null) ? 'own: without the hops below it' : '',
  ]
  return marks.filter(Boolean).join('; ')
}
