/**
 * The time axis of a waterfall: milliseconds become columns. A resolver's timer of seconds would squeeze the milliseconds in which
 * something happened into one column, so long silences are cut out of the axis and marked: `// 5.0 s //`.
 */
import { duration } from '../../quantities.ts'
import { silences } from './silence.ts'

/** Silences are cut out where they are at least this part of the whole; else the picture is readable as it is. */
const DOMINANT = 0.75
const MOST_BREAKS = 4
/** Columns of a stretch between two breaks, at least. */
const LEAST_STRETCH = 5
const LEAST_TIGHT = 3

/** Tenths of a second: the mark says how much is missing, the numbers beside the bars say it exactly. */
export const BREAK = '//'

interface Stretch {
  from: number
  to: number
  column: number
  width: number
  /** The text that says that something is cut out here; null where nothing is. */
  mark: string | null
}

export interface Axis {
  width: number
  /** The ruler above the bars. */
  head: string
  /** The column of a time in milliseconds. */
  column: (ms: number) => number
  /** The columns that are cut out, first and last, and the times between which they lie. */
  breaks: { first: number; last: number; from: number; to: number }[]
}

/** `events` are all times at which something begins, ends or is repeated; `width` is in columns. */
export function axis(events: readonly number[], width: number): Axis {
  const times = [...new Set(events)].sort((a, b) => a - b)
  const from = times[0] ?? 0
  const to = Math.max(times.at(-1) ?? 0, from + 0.001)
  const stretches = stretchesOf(times, from, to, width)
  const column = (ms: number): number => {
    const stretch = stretches.find(({ to, mark }) => ms <= to && mark === null) ?? stretches.at(-1)!
    const offset = ((ms - stretch.from) / (stretch.to - stretch.from || 1)) * stretch.width
    return stretch.column + Math.max(0, Math.min(stretch.width - 1, Math.floor(offset)))
  }
  const breaks = stretches
    .filter(({ mark }) => mark !== null)
    .map(({ column, width, from, to }) => ({ first: column, last: column + width - 1, from, to }))
  return { width, head: head(stretches, from, to, width), column, breaks }
}

/** How cuts are drawn: with room around their text, or tight where the screen is narrow. */
const STYLES = [
  { blank: ' ', least: LEAST_STRETCH },
  { blank: '', least: LEAST_TIGHT },
] as const

/** The axis from one cut to the next. */
function stretchesOf(times: number[], from: number, to: number, width: number): Stretch[] {
  const gaps = silences(times)
    .sort((a, b) => b.to - b.from - (a.to - a.from))
    .slice(0, MOST_BREAKS)
    .sort((a, b) => a.from - b.from)
  const cutOut = gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0)
  const whole = [{ from, to, column: 0, width, mark: null }]
  // Where every event has a gap of its own, none is squeezed by another.
  if (times.length <= gaps.length + 1 || cutOut < DOMINANT * (to - from)) return whole
  for (const { blank, least } of STYLES) {
    const marks = gaps.map(gap => `${BREAK}${blank}${((gap.to - gap.from) / 1000).toFixed(1)} s${blank}${BREAK}`)
    const free = width - marks.join('').length - least * (gaps.length + 1)
    if (free < 0) continue
    const stretches: Stretch[] = []
    let column = 0
    let reached = from
    const add = (to: number, mark: string | null, width: number) => {
      stretches.push({ from: reached, to, column, width, mark })
      reached = to
      column += width
    }
    // What is left is shared by how long each stretch is, but none is squeezed to nothing.
    const open = (to: number) => least + Math.floor((free * (to - reached)) / (whole[0].to - from - cutOut || 1))
    gaps.forEach((gap, i) => {
      add(gap.from, null, open(gap.from))
      add(gap.to, marks[i], marks[i].length)
    })
    add(to, null, width - column)
    return stretches
  }
  return whole
}

function head(stretches: Stretch[], from: number, to: number, width: number): string {
  const cells = Array<string>(width).fill(' ')
  const put = (text: string, column: number) => {
    for (let i = 0; i < text.length && column + i < width; i++) cells[column + i] = text[i]
  }
  const start = signed(from)
  const end = signed(to)
  put(start.length <= stretches[0].width ? start : from === 0 ? '0' : '', 0)
  for (const { mark, column } of stretches) if (mark !== null) put(mark, column)
  // The end is written where it hides nothing.
  const last = stretches.at(-1)!
  const room = stretches.length === 1 ? width - start.length - 1 : last.width
  if (end.length <= room) put(end, width - end.length)
  return cells.join('')
}

/** Clocks of two captures that disagree make times before the start. */
export function signed(ms: number): string {
  return ms < 0 ? `-${duration(-ms)}` : duration(ms)
}
