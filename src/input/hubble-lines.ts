/**
 * Lines of a flow log as frames: a line is a frame, its number is the line's. Most lines of a cluster are no DNS, and parsing JSON is
 * what costs, so a line in Hubble's compact form is turned away by its bytes: neither a DNS record nor a port 53 stands in it.
 */
import type { Frame } from '../wire/frame.ts'
import { type Moment, readMoment } from './hubble-json.ts'
import { type CaptureParser, newFrame, type ParserContext } from './parser.ts'
import { noteMoment } from './reach.ts'

/** A flow has 1 to 3 KB. What is longer than this is no flow, and it is not kept in memory to find out. */
export const LONGEST_LINE = 16 * 1024 * 1024

/** The name under which a line is counted that is no DNS. */
export const OTHER_FLOW = 'other flows'

const NEWLINE = 0x0a
const RETURN = 0x0d
const CLOSING_BRACE = 0x7d

// Looked for in whole chunks: a call per line would cost more than the search. The first letters are rare ones, so that the search
// can jump from one to the next.
const DNS_RECORD = Buffer.from('dns":{')
const PORT_53 = Buffer.from('port":53')

/** How the flows begin that are written by Hubble itself, up to their time: in an envelope, or bare. Others are parsed whatever they hold. */
const BEGINNINGS = [Buffer.from('{"flow":{"time":"'), Buffer.from('{"time":"')]

export class HubbleParser implements CaptureParser {
  private readonly context: ParserContext
  private readonly frame: Frame = newFrame()
  private lines = 0
  /** Inside a line that was too long: what follows up to its end is thrown away. */
  private skipping = false
  private readonly counts: Record<string, number>
  /** The time of the last line that was turned away. */
  private readonly moment: Moment = { seconds: 0, nanos: 0 }

  constructor(context: ParserContext) {
    this.context = context
    this.counts = context.capture.lines ??= {}
    this.frame.seconds = Number.NaN
  }

  parse(bytes: Buffer, start: number, end: number, last: boolean): number {
    let at = start
    const dns = new Search(bytes, DNS_RECORD, end)
    const port = new Search(bytes, PORT_53, end)
    const lastLine = bytes.lastIndexOf(NEWLINE, end - 1)
    while (at < end) {
      const newline = at <= lastLine ? bytes.indexOf(NEWLINE, at) : -1
      if (this.skipping) {
        if (newline < 0) return end
        this.skipping = false
        at = newline + 1
        continue
      }
      if (newline < 0) {
        if (end - at > LONGEST_LINE) {
          this.skipping = true
          this.hand(bytes, at, at, end - at)
          return end
        }
        if (!last) return at
        this.hand(bytes, at, end, bytes[end - 1] === CLOSING_BRACE ? 0 : 1)
        return end
      }
      const lineStart = at
      at = newline + 1
      if (this.lines > 0 && this.isOtherFlow(bytes, lineStart, newline, dns, port)) {
        this.lines++
        noteMoment(this.context.capture, this.moment)
        this.context.onOther()
        this.counts[OTHER_FLOW] = (this.counts[OTHER_FLOW] ?? 0) + 1
      } else if (!this.hand(bytes, lineStart, newline, 0)) return at
    }
    return at
  }

  /** A whole flow in Hubble's own form that has nothing to do with DNS; its time is in `moment` then. */
  private isOtherFlow(bytes: Buffer, start: number, end: number, dns: Search, port: Search): boolean {
    const close = bytes[end - 1] === RETURN ? end - 2 : end - 1
    if (bytes[close] !== CLOSING_BRACE || dns.from(start) < end) return false
    for (let at = port.from(start); at < end; at = port.from(at + 1)) {
      const next = bytes[at + PORT_53.length]
      // Not 5300 or 53000.
      if (next < 0x30 || next > 0x39) return false
    }
    for (const beginning of BEGINNINGS)
      if (begins(bytes, start, beginning)) return readMoment(bytes, start + beginning.length, this.moment)
    return false
  }

  /** `missing`: bytes of the line that are not there. */
  private hand(bytes: Buffer, start: number, end: number, missing: number): boolean {
    const { frame } = this
    frame.number = ++this.lines
    frame.bytes = bytes
    frame.start = start
    frame.end = end
    frame.wireLength = end - start + missing
    return this.context.onFrame(frame)
  }
}

/** Where something stands next in a chunk. */
class Search {
  private readonly bytes: Buffer
  private readonly wanted: Buffer
  private readonly end: number
  private found = -1

  constructor(bytes: Buffer, wanted: Buffer, end: number) {
    this.bytes = bytes
    this.wanted = wanted
    this.end = end
  }

  /** The first place at or behind `at`; the chunk's end where there is none. */
  from(at: number): number {
    if (this.found < at) {
      const found = this.bytes.indexOf(this.wanted, at)
      this.found = found < 0 ? this.end : found
    }
    return this.found
  }
}

function begins(bytes: Buffer, start: number, beginning: Buffer): boolean {
  for (let i = 0; i < beginning.length; i++) if (bytes[start + i] !== beginning[i]) return false
  return true
}
