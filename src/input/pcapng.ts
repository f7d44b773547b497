/**
 * The next-generation capture file: blocks in sections. Follows https://pcapng.com/
 *
 *     block            | type 4 | total length 4 | body ... | total length 4 |
 *     section header   | byte order magic 4 | major 2 | minor 2 | section length 8 | options |
 *     enhanced packet  | interface 4 | ticks high 4 | ticks low 4 | captured length 4 | length on the wire 4 | bytes | options |
 *     simple packet    | length on the wire 4 | bytes |
 *     packet (old)     | interface 2 | drops 2 | ticks high 4 | ticks low 4 | captured length 4 | length on the wire 4 | bytes | options |
 *
 * Frame numbers are Wireshark's: custom blocks, journal entries and Sysdig events have one; names, statistics and secrets have none.
 */
import { NONE, UNKNOWN_DIRECTION } from '../model.ts'
import { type CaptureParser, LARGEST_BUS_RECORD, newFrame, type ParserContext, u16, u32 } from './parser.ts'
import {
  type Interface,
  type PacketOptions,
  readComments,
  readDropped,
  readInterface,
  readNames,
  readPacketOptions,
} from './pcapng-blocks.ts'
import { stampOf } from './ticks.ts'

export const SECTION = 0x0a0d0d0a
const BYTE_ORDER = 0x1a2b3c4d

const INTERFACE = 1
const OLD_PACKET = 2
const SIMPLE_PACKET = 3
const NAMES = 4
const STATISTICS = 5
const ENHANCED_PACKET = 6

/** Blocks without a packet that Wireshark numbers: systemd journal, Sysdig events, custom blocks. */
const NUMBERED = new Set([0x9, 0x204, 0x216, 0x221, 0xbad, 0x4000_0bad])

/** Blocks without a packet that Wireshark does not number, for telling a block from rubbish: secrets, ARINC, IRIG, Sysdig's lists. */
const UNNUMBERED = new Set([0x7, 0x8, 0xa, 0xb, 0xc, 0xd, 0x201, 0x202, 0x203, 0x205, 0x206, 0x207, 0x208])

/** Larger blocks are rubbish, except where nobody needs to hold them in memory. */
const LARGEST_BLOCK = LARGEST_BUS_RECORD + 65_536

/** More interfaces than any machine has; packets of further ones have none. */
const MOST_INTERFACES = 65_536

/** What is left out need not be whole in memory. */
const isRead = (type: number) => type === SECTION || (type >= INTERFACE && type <= ENHANCED_PACKET)

export class PcapngParser implements CaptureParser {
  private readonly context: ParserContext
  private readonly frame = newFrame()
  private little = true
  private inSection = false
  /** Interfaces of this section. */
  private interfaces: Interface[] = []
  /** Interfaces of the whole file. */
  private interfaceCount = 0
  private readonly options: PacketOptions = { direction: UNKNOWN_DIRECTION, dropped: 0 }
  /** Packets that the statistics, and that the packets' own options say were lost. */
  private droppedInAll: number | null = null
  private droppedBetween: number | null = null
  /** Bytes of a block nobody reads that are still to come. */
  private skip = 0
  /** A block made no sense: looking for the next one that does. */
  private lost = false
  private cutCounted = false

  constructor(context: ParserContext) {
    this.context = context
  }

  parse(bytes: Buffer, start: number, end: number, last: boolean): number {
    this.frame.bytes = bytes
    let at = start
    for (;;) {
      if (this.skip > 0) {
        const step = Math.min(this.skip, end - at)
        at += step
        this.skip -= step
        if (this.skip > 0) return this.cut(at, end, last, true)
      }
      if (this.lost) {
        at = this.search(bytes, at, end, last)
        if (this.lost) return last ? end : at
      }
      if (at + 12 > end) return this.cut(at, end, last, at < end)
      const type = u32(bytes, at, this.little)
      if (type === SECTION && !this.readByteOrder(bytes, at + 8)) {
        this.loseTrack('pcapng-section')
        at += 4
        continue
      }
      const length = u32(bytes, at + 4, this.little)
      if (length < 12 || length > LARGEST_BLOCK || !this.inSection) {
        this.loseTrack('block-length')
        at += 4
        continue
      }
      // The format wants lengths in fours; a writer that did not round its length still padded its block.
      const next = at + ((length + 3) & ~3)
      if (!isRead(type)) {
        if (NUMBERED.has(type)) this.countOther()
        this.skip = next - at
        continue
      }
      if (next > end) return this.cut(at, end, last, true)
      if (u32(bytes, next - 4, this.little) !== length) {
        if (next + 8 > end && !last) return at
        if (this.startsBlock(bytes, next, end)) this.issue('block-length')
        else {
          this.loseTrack('block-length')
          at += 4
          continue
        }
      }
      const goOn = this.readBlock(type, bytes, at + 8, next - 4)
      at = next
      if (!goOn) return at
    }
  }

  private readBlock(type: number, bytes: Buffer, start: number, end: number): boolean {
    const { capture } = this.context
    switch (type) {
      case ENHANCED_PACKET:
        if (end - start < 20) return this.shortBlock()
        return this.packet(bytes, start, end, u32(bytes, start, this.little), true)
      case OLD_PACKET:
        if (end - start < 20) return this.shortBlock()
        this.noteDrops(u16(bytes, start + 2, this.little))
        return this.packet(bytes, start, end, u16(bytes, start, this.little), false)
      case SIMPLE_PACKET:
        if (end - start < 4) return this.shortBlock()
        return this.simplePacket(bytes, start, end)
      case SECTION:
        this.interfaces = []
        if (end - start < 16 || u16(bytes, start + 4, this.little) !== 1) {
          // Blocks of another version may look different: on to the next section.
          this.loseTrack('pcapng-section')
          this.inSection = false
          return true
        }
        readComments(bytes, start + 16, end, this.little, capture.comments)
        return true
      case INTERFACE:
        if (end - start >= 8) this.describeInterface(bytes, start, end)
        return true
      case STATISTICS:
        if (end - start >= 12) this.readStatistics(bytes, start, end)
        return true
      case NAMES:
        readNames(bytes, start, end, this.little, capture.names)
        return true
      default:
        return true
    }
  }

  /** An enhanced and an old packet block differ in their first four bytes, and in what their options' numbers mean. */
  private packet(bytes: Buffer, start: number, end: number, id: number, enhanced: boolean): boolean {
    const { frame, little } = this
    const from = this.interfaces[id]
    frame.number++
    frame.start = start + 20
    frame.end = start + 20 + u32(bytes, start + 12, little)
    if (frame.end > end) {
      frame.end = end
      this.issue('block-length')
    }
    frame.wireLength = u32(bytes, start + 16, little)
    frame.direction = UNKNOWN_DIRECTION
    if (enhanced && frame.end + 4 < end) this.readOptions(bytes, start + 20, end)
    if (from === undefined) return this.withoutInterface()
    stampOf(from.clock, u32(bytes, start + 4, little), u32(bytes, start + 8, little), frame)
    frame.linkType = from.linkType
    frame.interfaceIndex = from.index
    frame.interfaceName = from.name
    return this.context.onFrame(frame)
  }

  /** The options stand behind the packet's bytes, which are padded to fours. */
  private readOptions(bytes: Buffer, packet: number, end: number): void {
    const { frame, options } = this
    const { capture } = this.context
    const at = packet + ((frame.end - packet + 3) & ~3)
    readPacketOptions(bytes, at, end, this.little, options, capture.comments)
    frame.direction = options.direction
    if (options.dropped === 0) return
    this.droppedBetween = (this.droppedBetween ?? 0) + options.dropped
    this.tellDropped()
  }

  /** The old packet block counts the losses since the packet before; 65535 is "not known". */
  private noteDrops(dropped: number): void {
    if (dropped === 0 || dropped === 0xffff) return
    this.droppedBetween = (this.droppedBetween ?? 0) + dropped
    this.tellDropped()
  }

  /** Statistics and packets count the same losses; the larger number has all of them. */
  private tellDropped(): void {
    this.context.capture.dropped = Math.max(this.droppedInAll ?? 0, this.droppedBetween ?? 0)
  }

  /** A simple packet has no time: it keeps that of the packet before, so that it stays in its place. */
  private simplePacket(bytes: Buffer, start: number, end: number): boolean {
    const { frame } = this
    const from = this.interfaces[0]
    frame.number++
    frame.wireLength = u32(bytes, start, this.little)
    frame.start = start + 4
    frame.direction = UNKNOWN_DIRECTION
    frame.end = Math.min(start + 4 + frame.wireLength, end)
    this.issue('no-time')
    if (from === undefined) return this.withoutInterface()
    if (from.snapLength > 0) frame.end = Math.min(frame.end, start + 4 + from.snapLength)
    frame.linkType = from.linkType
    frame.interfaceIndex = from.index
    frame.interfaceName = from.name
    return this.context.onFrame(frame)
  }

  private withoutInterface(): boolean {
    this.issue('interface-unknown')
    this.frame.linkType = NONE
    this.frame.interfaceIndex = NONE
    this.frame.interfaceName = null
    return this.context.onFrame(this.frame)
  }

  private shortBlock(): boolean {
    this.frame.number++
    this.issue('block-length')
    this.context.onOther()
    return true
  }

  private countOther(): void {
    this.frame.number++
    this.context.onOther()
  }

  private describeInterface(bytes: Buffer, start: number, end: number): void {
    const { capture } = this.context
    if (this.interfaceCount >= MOST_INTERFACES) return
    const described = readInterface(bytes, start, end, this.little, this.interfaceCount++)
    this.interfaces.push(described)
    if (described.snapLength > (capture.snapLength ?? 0)) capture.snapLength = described.snapLength
    if (described.filter && !capture.filters.includes(described.filter)) capture.filters.push(described.filter)
    readComments(bytes, start + 8, end, this.little, capture.comments)
  }

  /** Statistics are totals since the start of the capture: the last block of an interface counts. */
  private readStatistics(bytes: Buffer, start: number, end: number): void {
    const of = this.interfaces[u32(bytes, start, this.little)]
    const dropped = readDropped(bytes, start + 12, end, this.little)
    if (of === undefined || dropped === null) return
    this.droppedInAll = (this.droppedInAll ?? 0) + dropped - (of.dropped ?? 0)
    of.dropped = dropped
    this.tellDropped()
  }

  private readByteOrder(bytes: Buffer, at: number): boolean {
    const little = u32(bytes, at, true) === BYTE_ORDER
    if (!little && u32(bytes, at, false) !== BYTE_ORDER) return false
    this.little = little
    this.inSection = true
    return true
  }

  /** Whether the end of the known bytes or a block of a known type stands here. */
  private startsBlock(bytes: Buffer, at: number, end: number): boolean {
    if (at + 8 > end) return true
    const type = u32(bytes, at, this.little)
    const length = u32(bytes, at + 4, this.little)
    return (isRead(type) || NUMBERED.has(type) || UNNUMBERED.has(type)) && length >= 12 && length <= LARGEST_BLOCK
  }

  /** Where the next block stands whose two lengths agree, or a section header. Clears `lost` when there is one. */
  private search(bytes: Buffer, start: number, end: number, last: boolean): number {
    let at = start
    for (; at + 12 <= end; at++) {
      if (u32(bytes, at, true) === SECTION) {
        if (!this.readByteOrder(bytes, at + 8)) continue
      } else {
        if (!this.inSection || !this.startsBlock(bytes, at, end)) continue
        const length = u32(bytes, at + 4, this.little)
        if (length > 1_048_576 || length % 4 !== 0) continue
        if (at + length > end) {
          if (!last) return at
          continue
        }
        if (u32(bytes, at + length - 4, this.little) !== length) continue
      }
      this.lost = false
      return at
    }
    return at
  }

  private loseTrack(code: string): void {
    this.issue(code)
    this.lost = true
  }

  private issue(code: string): void {
    this.context.issues.add(code, this.context.capture.file, this.frame.number || null)
  }

  /** The bytes end here; `within` a block. */
  private cut(at: number, end: number, last: boolean, within: boolean): number {
    if (!last) return at
    if (within && !this.cutCounted) {
      this.cutCounted = true
      this.issue('file-cut')
    }
    return end
  }
}
