/**
 * The state of the decoder of one capture: the frame at hand, the packet that is being looked at in it, and what outlives a frame
 * (half datagrams, TCP streams). Every parser of wire/ has the form
 *
 *     parser(decoder, at, end, wireEnd) -> one of OTHER, ISSUE, PART, DNS
 *
 * and reads `decoder.bytes[at .. end)`. [at, wireEnd) is what was on the wire: `wireEnd` beyond `end` says that the capture cut the
 * rest off. A layer may only narrow the window that it was given.
 */
import { type Capture, type Messages, NONE } from '../model.ts'
import type { Connection } from './connection.ts'
import type { Datagram } from './fragments.ts'
import type { Generations } from './generations.ts'
import type { Issues } from './issues.ts'
import { newMessages } from './messages.ts'
import type { PortHints } from './ports.ts'
import { Servers } from './servers.ts'
import { Addresses, type Tables } from './tables.ts'
import { tunnelPorts } from './tunnels.ts'

/** What a frame turned out to be. */
export const OTHER = 0
const ISSUE = 1
export const PART = 2
export const DNS = 3
export type FrameClass = typeof OTHER | typeof ISSUE | typeof PART | typeof DNS

export type Parser = (decoder: Decoder, at: number, end: number, wireEnd: number) => FrameClass

/** Layers inside each other (tunnels, tags) after which a packet is given up. */
export const DEEPEST = 16

/** Addresses of half datagrams, or of connections: more than there can be of these. */
export const MOST_PASSING_ADDRESSES = 1 << 16

/** Rows of a block. */
export const BLOCK_ROWS = 4096

export interface DecoderOptions {
  tables: Tables
  issues: Issues
  capture: Capture
  /** The capture's number in the run. */
  file: number
  keepBytes: boolean
  ports?: PortHints | undefined
}

export interface Decoder {
  readonly tables: Tables
  readonly issues: Issues
  readonly capture: Capture
  readonly file: number
  readonly keepBytes: boolean
  /** The block of rows: the caller empties it in time; it grows where one frame brings more than fit. */
  readonly messages: Messages
  readonly servers: Servers
  /** By UDP port: what tunnels.ts has there. */
  readonly tunnels: Uint8Array
  readonly fragments: Generations<Datagram>
  readonly connections: Generations<Connection>
  /** Addresses of half datagrams, and of connections, which need not bring any message: forgotten when there are many. */
  fragmentAddresses: Addresses
  streamAddresses: Addresses
  /** Bytes held for half datagrams, and for half messages and early segments of TCP. */
  fragmentBytes: number
  streamBytes: number

  // The frame at hand, or the one that a late message is booked to.
  frame: number
  seconds: number
  nanos: number
  direction: number
  /** Messages.linkSource */
  linkSource: number
  /** Rows appended since the frame began. */
  rows: number
  /** Layers entered so far. */
  depth: number

  // Where it was captured: worked out only when somebody asks, see vantageOf.
  linkType: number
  link: Parser | null
  interfaceIndex: number
  interfaceName: string | null
  /** VantageId by index + 1, for the indexes that are small; NONE where not known yet. */
  readonly vantageIds: number[]

  // The innermost IP packet. Addresses stay bytes until a DNS message wants them as ids.
  bytes: Buffer
  version: number
  fromAt: number
  toAt: number
  ttl: number
  ipId: number
  /** The whole datagram, as its header tells. */
  size: number

  // The innermost transport, for the message that is being appended.
  vantage: number
  from: number
  to: number
  fromPort: number
  toPort: number
}

export function newState(
  options: DecoderOptions,
  fragments: Generations<Datagram>,
  connections: Generations<Connection>,
): Decoder {
  return {
    tables: options.tables,
    issues: options.issues,
    capture: options.capture,
    file: options.file,
    keepBytes: options.keepBytes,
    messages: newMessages(BLOCK_ROWS, options.keepBytes),
    servers: new Servers(options.ports?.dns ?? []),
    tunnels: tunnelPorts(options.ports?.tunnels ?? []),
    fragments,
    connections,
    fragmentAddresses: new Addresses(MOST_PASSING_ADDRESSES),
    streamAddresses: new Addresses(MOST_PASSING_ADDRESSES),
    fragmentBytes: 0,
    streamBytes: 0,
    frame: 0,
    seconds: 0,
    nanos: 0,
    direction: 0,
    linkSource: 0,
    rows: 0,
    depth: 0,
    linkType: NONE,
    link: null,
    interfaceIndex: NONE,
    interfaceName: null,
    vantageIds: [],
    bytes: Buffer.alloc(0),
    version: 4,
    fromAt: 0,
    toAt: 0,
    ttl: 0,
    ipId: NONE,
    size: 0,
    vantage: NONE,
    from: NONE,
    to: NONE,
    fromPort: 0,
    toPort: 0,
  }
}

/** Counts an oddity; the frame goes on. */
export function note(decoder: Decoder, code: string): void {
  decoder.issues.add(code, decoder.capture.file, decoder.frame)
}

/** Counts what ends the reading of this frame. */
export function issue(decoder: Decoder, code: string): FrameClass {
  note(decoder, code)
  return ISSUE
}

/** A header does not fit into its window: the capture's fault or the packet's. */
export function tooShort(decoder: Decoder, code: string, end: number, wireEnd: number): FrameClass {
  return issue(decoder, wireEnd > end ? 'headers-cut' : code)
}

/** The link-layer address at that place is the sender's. */
export function setLinkSource(decoder: Decoder, at: number): void {
  const { bytes } = decoder
  const low = ((bytes[at + 2] << 24) | (bytes[at + 3] << 16) | (bytes[at + 4] << 8) | bytes[at + 5]) >>> 0
  decoder.linkSource = ((bytes[at] << 8) | bytes[at + 1]) * 0x1_0000_0000 + low
}

/** The vantage of the frame at hand. */
export function vantageOf(decoder: Decoder): number {
  const { interfaceIndex, vantageIds } = decoder
  const slot = interfaceIndex + 1
  const known = slot < vantageIds.length ? vantageIds[slot] : NONE
  return known === NONE ? internVantage(decoder) : known
}

/** Interfaces with a number below this are found without a Map. */
const SMALL_INDEX = 4096

function internVantage(decoder: Decoder): number {
  const { tables, file, interfaceIndex, interfaceName, linkType, vantageIds } = decoder
  const id = tables.vantages.intern(file, interfaceIndex, interfaceName, linkType)
  if (interfaceIndex < SMALL_INDEX) {
    while (vantageIds.length <= interfaceIndex + 1) vantageIds.push(NONE)
    vantageIds[interfaceIndex + 1] = id
  }
  return id
}

/** The ids of the innermost packet's addresses, into `from` and `to`. False: there is no room for further ones. */
export function internAddresses(decoder: Decoder, addresses = decoder.tables.addresses): boolean {
  const { bytes, fromAt, toAt } = decoder
  if (decoder.version === 4) {
    decoder.from = addresses.internV4(bytes, fromAt)
    decoder.to = addresses.internV4(bytes, toAt)
  } else {
    decoder.from = addresses.internV6(bytes, fromAt)
    decoder.to = addresses.internV6(bytes, toAt)
  }
  return (decoder.from | decoder.to) >= 0
}

/** When a piece of something larger was captured, so that what it completes later can be booked to it. */
export interface Moment {
  frame: number
  seconds: number
  nanos: number
  direction: number
  linkSource: number
  ttl: number
  interfaceIndex: number
}

export function momentOf(decoder: Decoder): Moment {
  const { frame, seconds, nanos, direction, linkSource, ttl, interfaceIndex } = decoder
  return { frame, seconds, nanos, direction, linkSource, ttl, interfaceIndex }
}

/** Goes (back) to a moment. */
export function enter(decoder: Decoder, moment: Moment): void {
  decoder.frame = moment.frame
  decoder.seconds = moment.seconds
  decoder.nanos = moment.nanos
  decoder.direction = moment.direction
  decoder.linkSource = moment.linkSource
  decoder.ttl = moment.ttl
  decoder.interfaceIndex = moment.interfaceIndex
}

/** Books messages that a frame of the past turned out to hold: it was counted as a part, and is DNS. */
export function bookLate(decoder: Decoder): void {
  decoder.capture.partFrames--
  decoder.capture.dnsFrames++
}
