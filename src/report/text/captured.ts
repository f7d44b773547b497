/** What was captured: time span, frames, messages, vantage points, what could not be read, and how far the numbers can be trusted. */
import { count, dateAndTime, duration, plural } from '../../quantities.ts'
import { cutMessages } from '../quality.ts'
import type { Report } from '../report-types.ts'
import { shorten } from '../shorten.ts'
import { clockSentences } from './clocks.ts'
import { filterLine } from './filter-line.ts'
import { labelled, type Page } from './page.ts'

/** More names than this say nothing on one line. */
const MOST_VANTAGES = 6
const MOST_NUMBERS = 8
const MOST_COMMENTS = 2
const LONGEST_COMMENT = 200

export function captured(report: Report, page: Page): string[] {
  const { totals, quality, filters: wanted } = report
  // Of the others a remark says why they could not be read.
  const captures = report.captures.filter(({ failure }) => failure === null)
  const starts = captures.flatMap(capture => capture.first ?? []).sort()
  const span = starts.length > 0 ? `${duration(totals.seconds * 1000)} from ${dateAndTime(starts[0]!)}` : 'no frames'
  const different = totals.sightings > 0 ? ` (${count(totals.messages - totals.sightings)} different)` : ''
  const amounts = `${framesOf(captures, totals.frames)}, ${plural(totals.messages, 'DNS message')}${different}`
  const sentences: string[] = []
  if (captures.length === 1) {
    sentences.push(`${fileName(captures[0]!.file)}: ${span}`)
    if (totals.frames > 0) sentences.push(amounts + vantagePoints(captures[0]!.vantages))
    sentences.push(...lineKinds(captures[0]!))
  } else {
    sentences.push(`${captures.length} files: ${span}, ${amounts}`)
    for (const capture of captures) {
      const own = `${framesOf([capture], capture.frames)}, ${plural(capture.messages, 'DNS message')}`
      sentences.push(`${fileName(capture.file)}: ${own}${vantagePoints(capture.vantages)}`, ...lineKinds(capture))
    }
  }
  sentences.push(...clockSentences(captures))
  const filters = [...new Set(captures.flatMap(capture => capture.filters))]
  if (filters.length > 0) sentences.push(`Captured with the filter: ${filters.join('; ')}`)
  const comments = [...new Set(captures.flatMap(capture => capture.comments))].slice(0, MOST_COMMENTS)
  sentences.push(
    ...comments.map(
      comment => `Comment in the file: ${shorten(comment.replace(/\s+/g, ' '), LONGEST_COMMENT, 'start')}`,
    ),
  )
  sentences.push(...unread(report))
  const [first, ...rest] = quality.remarks
  sentences.push(first === undefined ? `Quality: ${quality.grade}` : `Quality: ${quality.grade}. ${first}`, ...rest)
  return [...labelled('Capture', sentences, page), ...filterLine(wanted, totals.lookups, page)]
}

const fileName = (file: string) => (file === '-' ? 'standard input' : file)

/** The frames of a flow log are its lines. */
const framesOf = (captures: Report['captures'], frames: number) =>
  plural(frames, captures.length > 0 && captures.every(({ lines }) => lines !== null) ? 'line' : 'frame')

/** What the lines of a flow log were, where they were not all of one kind. */
function lineKinds({ lines }: Report['captures'][number]): string[] {
  const kinds = Object.entries(lines ?? {}).sort((a, b) => b[1] - a[1])
  return kinds.length < 2 ? [] : [`Lines: ${kinds.map(([name, times]) => `${name} ${count(times)}`).join(', ')}`]
}

function vantagePoints(names: string[]): string {
  if (names.length < 2) return names.length === 1 ? ` at ${names[0]}` : ''
  // A Linux "any" capture knows its interfaces by number only; on its machine their names can be had.
  const numbers = names.map(name => /^interface (\d+)$/.exec(name)?.[1])
  if (numbers.every(number => number !== undefined)) {
    const sorted = numbers.map(Number).sort((a, b) => a - b)
    const shown = sorted.slice(0, MOST_NUMBERS).join(', ') + (sorted.length > MOST_NUMBERS ? ', ...' : '')
    return ` at ${names.length} interfaces (${shown} in "ip link")`
  }
  const more = names.length > MOST_VANTAGES ? ` and ${names.length - MOST_VANTAGES} more` : ''
  return ` at ${names.length} vantage points: ${names.slice(0, MOST_VANTAGES).join(', ')}${more}`
}

/** What is missing from the numbers below. */
function unread({ captures }: Report): string[] {
  const sum = (value: (capture: Report['captures'][number]) => number | null) =>
    captures.reduce((total, capture) => total + (value(capture) ?? 0), 0)
  const issueFrames = sum(capture => capture.issueFrames)
  const { cut, torn } = cutMessages(captures)
  const dropped = sum(capture => (capture.lines === null ? capture.dropped : null))
  const multicast = sum(capture => capture.multicastDns)
  const missing = [
    issueFrames > 0 ? `${plural(issueFrames, 'frame')} not readable (see Issues)` : '',
    cut > 0 ? `${plural(cut, 'message')} cut by the snap length` : '',
    torn > 0 ? `a part of ${plural(torn, 'message')}` : '',
    dropped > 0 ? `${plural(dropped, 'frame')} lost by the capturing machine` : '',
    multicast > 0 ? `${plural(multicast, 'mDNS or LLMNR message')} left out` : '',
  ].filter(Boolean)
  const sentences = missing.length > 0 ? [`Missing: ${missing.join(', ')}`] : []
  const interrupted = captures.filter(capture => capture.interrupted)
  if (interrupted.length > 0) {
    const where = captures.length > 1 ? ` of ${interrupted.map(capture => fileName(capture.file)).join(', ')}` : ''
    sentences.push(`Stopped by hand: the rest${where} was not read`)
  }
  return sentences
}
