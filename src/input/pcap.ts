/**
 * The classic capture file: a header of 24 bytes, then records. Follows https://ietf-opsawg-wg.github.io/draft-ietf-opsawg-pcap/
 *
 *     file    | magic 4 | major 2 | minor 2 | reserved 4 | reserved 4 | snap length 4 | link type 4 |
 *     record  | seconds 4 | micros or nanos 4 | captured length 4 | length on the wire 4 | bytes ... |
 *
 * The magic tells the byte order and the unit; variants have more bytes per record (pcap-variants.ts).
 * The snap length is shown, never trusted: real writers exceed it.
 */
import { NONE } from '../model.ts'
import { type CaptureParser, largestRecord, newFrame, type ParserContext, u16, u32 } from './parser.ts'
import { AIX_LINK_TYPES, isFileHeader, MAGICS, type Magic, MICROS, variantOf } from './pcap-variants.ts'

const FILE_HEADER = 24
const RECORD_HEADER = 16

/** A record larger than an IP packet with its link layer is believed only if a record header follows it. */
const LARGE = 66_000

/** Further than this from the last good record, a time is taken for rubbish when we look for the next record. */
const MONTH = 30 * 86_400

export class PcapParser implements CaptureParser {
  private readonly context: ParserContext
  private readonly frame = newFrame()
  private headerRead = false
  /** The records' variant is not known yet: they tell. */
  private undecided: Magic | null = null
  private little = true
  private nanosPerUnit = 1000
  private recordHeader = RECORD_HEADER
  private lengthsSwapped = false
  private largest = 0
  /** A record header made no sense: looking for the next one that does. */
  private lost = false
  private cutCounted = false
  private seconds = 0

  constructor(context: ParserContext) {
    this.context = context
    this.frame.interfaceIndex = NONE
  }

  parse(bytes: Buffer, start: number, end: number, last: boolean): number {
    let at = start
    for (;;) {
      if (!this.headerRead) {
        const length = fileHeaderLength(bytes, at, end)
        if (end - at < length) return this.cut(at, end, last)
        this.readHeader(bytes, at)
        at += length
      }
      if (this.undecided && !this.decide(this.undecided, bytes, at, end, last)) return at
      at = this.parseRecords(bytes, at, end, last)
      if (this.headerRead) return at
    }
  }

  /** Also returns where a second file header stands; `headerRead` is false then. */
  private parseRecords(bytes: Buffer, start: number, end: number, last: boolean): number {
    let at = start
    const { frame, little, nanosPerUnit, recordHeader, largest, lengthsSwapped } = this
    const { onFrame } = this.context
    frame.bytes = bytes
    for (;;) {
      if (this.lost) {
        at = this.search(bytes, at, end, last)
        if (this.lost) return last ? end : at
      }
      if (at + recordHeader > end) return this.cut(at, end, last)
      let captured = u32(bytes, at + 8, little)
      let wire = u32(bytes, at + 12, little)
      // Files joined with cat: the header of the next one looks like an empty record of the year 2055.
      if (captured === 0 && wire === 0 && isFileHeader(bytes, at)) {
        this.context.issues.add('files-joined', this.context.capture.file, frame.number + 1)
        this.headerRead = false
        return at
      }
      if (lengthsSwapped && captured > wire) {
        const swapped = captured
        captured = wire
        wire = swapped
      }
      if (captured > LARGE) {
        if (captured <= largest && !last && at + 2 * recordHeader + captured > end) return at
        if (!this.believable(bytes, at, end, captured)) {
          this.context.issues.add('record-length', this.context.capture.file, frame.number + 1)
          this.lost = true
          at++
          continue
        }
      }
      const next = at + recordHeader + captured
      if (next > end) return this.cut(at, end, last)
      let seconds = u32(bytes, at, little)
      let nanos = u32(bytes, at + 4, little) * nanosPerUnit
      if (nanos >= 1e9) {
        seconds += Math.floor(nanos / 1e9)
        nanos %= 1e9
      }
      this.seconds = seconds
      frame.number++
      frame.start = at + recordHeader
      frame.end = next
      frame.wireLength = wire
      frame.seconds = seconds
      frame.nanos = nanos
      at = next
      if (!onFrame(frame)) return at
    }
  }

  private readHeader(bytes: Buffer, at: number): void {
    this.headerRead = true
    this.little = MAGICS.has(u32(bytes, at, true))
    const word = u32(bytes, at, this.little)
    const magic = MAGICS.get(word) as Magic
    const major = u16(bytes, at + 4, this.little)
    const minor = u16(bytes, at + 6, this.little)
    this.nanosPerUnit = magic.nanosPerUnit
    // Before 2.3 the two lengths stood the other way round, also in DG/UX's 543.0; in 2.3 it depends on the writer, so the smaller
    // one is the captured one.
    this.lengthsSwapped = (major === 2 && minor <= 3) || major === 543
    const { capture } = this.context
    capture.snapLength = Math.max(capture.snapLength ?? 0, u32(bytes, at + 16, this.little))
    // The upper bits tell the length of a frame check sequence; the IP length bounds the packet without it.
    const linkType = u32(bytes, at + 20, this.little) & 0xffff
    const aix = word === MICROS && major === 2 && minor === 2 ? AIX_LINK_TYPES.get(linkType) : undefined
    if (aix !== undefined) {
      this.nanosPerUnit = 1
      capture.format = 'pcap (AIX)'
    }
    this.frame.linkType = aix ?? linkType
    this.largest = largestRecord(this.frame.linkType)
    this.recordHeader = RECORD_HEADER
    // The writers of variants called theirs 2.4.
    this.undecided = this.lengthsSwapped ? null : magic
  }

  /** False: the bytes do not tell the variant yet. */
  private decide(magic: Magic, bytes: Buffer, at: number, end: number, last: boolean): boolean {
    const variant = variantOf(magic, bytes, at, end, this.little, last)
    if (variant === null) return false
    this.undecided = null
    this.recordHeader = variant.recordHeader
    this.context.capture.format = variant.name
    return true
  }

  /** Whether a large record ends where another header stands, or the file does. */
  private believable(bytes: Buffer, at: number, end: number, captured: number): boolean {
    if (captured > this.largest) return false
    const next = at + this.recordHeader + captured
    return next + this.recordHeader > end ? next <= end : this.sane(bytes, next)
  }

  private sane(bytes: Buffer, at: number): boolean {
    return u32(bytes, at + 8, this.little) <= this.largest && u32(bytes, at + 4, this.little) * this.nanosPerUnit < 1e9
  }

  /** Where the next record header stands that looks right and is followed by another one. Clears `lost` when there is one. */
  private search(bytes: Buffer, start: number, end: number, last: boolean): number {
    let at = start
    for (; at + this.recordHeader <= end; at++) {
      if (!this.plausible(bytes, at)) continue
      const next = at + this.recordHeader + u32(bytes, at + 8, this.little)
      if (next + this.recordHeader > end) {
        if (!last) return at
        if (next !== end) continue
      } else if (!this.plausible(bytes, next)) continue
      this.lost = false
      return at
    }
    return at
  }

  private plausible(bytes: Buffer, at: number): boolean {
    if (!this.sane(bytes, at)) return false
    const captured = u32(bytes, at + 8, this.little)
    const wire = u32(bytes, at + 12, this.little)
    if (captured === 0 || captured > wire || wire > this.largest) return false
    // Without a record before it there is no time to compare with.
    return this.frame.number === 0 || Math.abs(u32(bytes, at, this.little) - this.seconds) < MONTH
  }

  /** The bytes end within a header or record. */
  private cut(at: number, end: number, last: boolean): number {
    if (!last) return at
    if (at < end && !this.cutCounted) {
      this.cutCounted = true
      this.context.issues.add('file-cut', this.context.capture.file, this.frame.number + 1)
    }
    return end
  }
}

/** As long as the magic says, where it is there already. */
const fileHeaderLength = (bytes: Buffer, at: number, end: number): number =>
  end - at < 4
    ? FILE_HEADER
    : ((MAGICS.get(u32(bytes, at, true)) ?? MAGICS.get(u32(bytes, at, false)))?.fileHeader ?? FILE_HEADER)
