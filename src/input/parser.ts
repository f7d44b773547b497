/**
 * What a parser of a capture format is: it gets bytes, fills one frame and hands it over, again and again. pcap.ts and pcapng.ts
 * are the two. Everything in here is synchronous; waiting for bytes is the business of chunks.ts and read.ts.
 */
import type { Capture } from '../model.ts'
import { NONE, UNKNOWN_DIRECTION } from '../model.ts'
import type { Frame } from '../wire/frame.ts'
import type { Issues } from '../wire/issues.ts'

/** A record of at most this many bytes can be a packet: what tcpdump and Wireshark hold for the limit too. */
const LARGEST_RECORD = 262_144

/** USB and D-Bus messages may be this large (link types 220, 249 and 231). */
export const LARGEST_BUS_RECORD = 128 * 1024 * 1024

export function largestRecord(linkType: number): number {
  return linkType === 220 || linkType === 249 || linkType === 231 ? LARGEST_BUS_RECORD : LARGEST_RECORD
}

/** Takes a frame, whose bytes are valid during the call only. False: "enough for now"; the parser returns after this frame. */
export type FrameHandler = (frame: Frame) => boolean

/** What a parser is given to work with. */
export interface ParserContext {
  /** Where it writes what the file says of itself: snap length, drops, names, comments. It counts no frames there. */
  capture: Capture
  issues: Issues
  onFrame: FrameHandler
  /** A record that Wireshark gives a frame number and that holds no packet (a custom block). */
  onOther: () => void
}

export interface CaptureParser {
  /**
   * Reads the whole records of bytes[start, end) and returns where the first one begins that it could not finish: the caller brings
   * it again with more bytes behind. It also returns early when the handler said so. `last`: nothing will follow, so what is
   * unfinished is counted as an issue.
   */
  parse(bytes: Buffer, start: number, end: number, last: boolean): number
}

export const newFrame = (): Frame => ({
  number: 0,
  bytes: Buffer.alloc(0),
  start: 0,
  end: 0,
  wireLength: 0,
  seconds: 0,
  nanos: 0,
  linkType: NONE,
  interfaceIndex: NONE,
  interfaceName: null,
  direction: UNKNOWN_DIRECTION,
})

/** 32 bits without sign, in either byte order. Shifts, because Buffer's own readers check their arguments for every field. */
export function u32(bytes: Buffer, at: number, little: boolean): number {
  return little
    ? (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
    : ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}

export function u16(bytes: Buffer, at: number, little: boolean): number {
  return little ? bytes[at] | (bytes[at + 1] << 8) : (bytes[at] << 8) | bytes[at + 1]
}
