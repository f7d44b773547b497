/**
 * The blocks of a pcapng that say something about the capture instead of holding a packet: interface descriptions, statistics,
 * names. Follows https://pcapng.com/ (sections 4.2, 4.5, 4.6). Options are | code 2 | length 2 | value, padded to 4 |.
 */
import { INCOMING, OUTGOING, UNKNOWN_DIRECTION } from '../model.ts'
import { Addresses } from '../wire/tables.ts'
import { u16, u32 } from './parser.ts'
import { type Clock, MICROSECONDS, newClock } from './ticks.ts'

export interface Interface {
  /** Counts over the whole file: several sections number theirs from 0 each. */
  index: number
  name: string | null
  linkType: number
  snapLength: number
  clock: Clock
  filter: string | null
  dropped: number | null
}

const COMMENT = 1
const IF_NAME = 2
const IF_TSRESOL = 9
const IF_FILTER = 11
const IF_TSOFFSET = 14
const EPB_FLAGS = 2
const EPB_DROPCOUNT = 4
const ISB_IFDROP = 5
const ISB_OSDROP = 7

/** The two low bits of a packet's flags: no information, inbound, outbound; 3 means nothing. */
const DIRECTIONS = [UNKNOWN_DIRECTION, INCOMING, OUTGOING, UNKNOWN_DIRECTION]

/** Names that are kept of one file. */
const MOST_NAMES = 65_536

/** Comments that are kept: where every packet has its own, these are enough to know what they are about. */
const MOST_COMMENTS = 20

/** An interface description block's body: | link type 2 | reserved 2 | snap length 4 | options |. */
export function readInterface(bytes: Buffer, start: number, end: number, little: boolean, index: number): Interface {
  const described: Interface = {
    index,
    name: null,
    linkType: u16(bytes, start, little),
    snapLength: u32(bytes, start + 4, little),
    clock: MICROSECONDS,
    filter: null,
    dropped: null,
  }
  let resolution = 6
  let offset = 0
  eachOption(bytes, start + 8, end, little, (code, at, to) => {
    if (code === IF_NAME) described.name = text(bytes, at, to)
    // The first byte of a filter tells its form; 0 is the text that was typed.
    else if (code === IF_FILTER && to > at && bytes[at] === 0) described.filter = text(bytes, at + 1, to)
    else if (code === IF_TSRESOL && to > at) resolution = bytes[at]
    else if (code === IF_TSOFFSET && to - at >= 8) {
      offset = Number(little ? bytes.readBigInt64LE(at) : bytes.readBigInt64BE(at))
    }
  })
  if (resolution !== 6 || offset !== 0) described.clock = newClock(resolution, offset)
  return described
}

/** Lost frames that an interface statistics block tells (its options stand from `start`); null where it tells none. */
export function readDropped(bytes: Buffer, start: number, end: number, little: boolean): number | null {
  let dropped: number | null = null
  eachOption(bytes, start, end, little, (code, at, to) => {
    if ((code !== ISB_IFDROP && code !== ISB_OSDROP) || to - at < 8) return
    dropped = (dropped ?? 0) + Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at))
  })
  return dropped
}

/** The comments among a block's options. */
export function readComments(bytes: Buffer, start: number, end: number, little: boolean, comments: string[]): void {
  eachOption(bytes, start, end, little, (code, at, to) => {
    if (code === COMMENT && comments.length < MOST_COMMENTS) comments.push(text(bytes, at, to))
  })
}

/** What a packet's options tell. */
export interface PacketOptions {
  /** Messages.direction */
  direction: number
  /** Packets that the interface lost since the one before. */
  dropped: number
}

/** The options behind a packet; one object is filled again and again. Of comments that many packets have, the first of each text is kept. */
export function readPacketOptions(
  bytes: Buffer,
  start: number,
  end: number,
  little: boolean,
  into: PacketOptions,
  comments: string[],
): void {
  into.direction = UNKNOWN_DIRECTION
  into.dropped = 0
  if (start + 4 > end) return
  eachOption(bytes, start, end, little, (code, at, to) => {
    if (code === EPB_FLAGS && to - at >= 4) into.direction = DIRECTIONS[u32(bytes, at, little) & 3]
    else if (code === EPB_DROPCOUNT && to - at >= 8)
      into.dropped += Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at))
    else if (code === COMMENT && comments.length < MOST_COMMENTS) {
      const comment = text(bytes, at, to)
      if (!comments.includes(comment)) comments.push(comment)
    }
  })
}

/** A name resolution block's records: | type 2 | length 2 | address, names each ended by a zero |, into address -> first name. */
export function readNames(
  bytes: Buffer,
  start: number,
  end: number,
  little: boolean,
  names: Record<string, string>,
): void {
  const addresses = new Addresses(MOST_NAMES)
  let room = MOST_NAMES - Object.keys(names).length
  eachOption(bytes, start, end, little, (type, at, to) => {
    const length = type === 1 ? 4 : type === 2 ? 16 : 0
    if (length === 0 || to - at <= length) return
    const id = type === 1 ? addresses.internV4(bytes, at) : addresses.internV6(bytes, at)
    const zero = bytes.indexOf(0, at + length)
    const name = text(bytes, at + length, zero < 0 ? to : Math.min(zero, to))
    if (name !== '' && room-- > 0) names[addresses.text(id)] = name
  })
}

/** Calls with (code, start, end) of each option's value; stops at the end mark and at an option that claims too much. */
function eachOption(
  bytes: Buffer,
  start: number,
  end: number,
  little: boolean,
  call: (code: number, start: number, end: number) => void,
): void {
  let at = start
  while (at + 4 <= end) {
    const code = u16(bytes, at, little)
    const length = u16(bytes, at + 2, little)
    if (code === 0 || at + 4 + length > end) return
    call(code, at + 4, at + 4 + length)
    at += 4 + ((length + 3) & ~3)
  }
}

/** Text out of a file goes to terminals: control characters are left out. */
function text(bytes: Buffer, start: number, end: number): string {
  return bytes
    .toString('utf8', start, end)
    .replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, '')
    .trim()
}
