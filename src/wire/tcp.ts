/**
 * TCP, RFC 9293: which connections carry DNS, and what opens and ends them. The bytes are stream.ts's business.
 *
 *       0             2                  4          8                 12       13      14       16         18       20
 *      +-------------+------------------+----------+-----------------+--------+-------+--------+----------+--------+---------
 *      | source port | destination port | sequence | acknowledgement | words  | flags | window | checksum | urgent | options
 *      +-------------+------------------+----------+-----------------+--------+-------+--------+----------+--------+---------
 */
import { NONE, TCP, TCP_RESET, TCP_SILENT } from '../model.ts'
import { type Connection, face, knowAddresses, newStream, type Stream } from './connection.ts'
import {
  type Decoder,
  DNS,
  type FrameClass,
  internAddresses,
  issue,
  MOST_PASSING_ADDRESSES,
  note,
  OTHER,
  PART,
  tooShort,
  vantageOf,
} from './decoder.ts'
import { makeBareRow } from './dns.ts'
import { DNS_ENCRYPTED, HTTPS, noteEncrypted } from './encrypted.ts'
import { DOMAIN, MULTICAST_DNS } from './ports.ts'
import { acknowledge, addSegment, endStream, restart } from './stream.ts'
import { Addresses } from './tables.ts'

const HEADER = 20
const FIN = 0x01
const SYN = 0x02
const RST = 0x04
const ACK = 0x10

/** A SYN is sent again after a second at the earliest (RFC 6298); copies at other interfaces come within a moment. */
const SYN_TIMER = 0.9e9

/** A connection that was silent for so long is forgotten. */
export const CONNECTION_SECONDS = 300
/** Connections in one generation. One that is given up and goes on is read like a capture that begins in its middle. */
export const MOST_CONNECTIONS = 16_384

export function tcp(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + HEADER > end) return short(decoder, at, end, wireEnd)
  const fromPort = (bytes[at] << 8) | bytes[at + 1]
  const toPort = (bytes[at + 2] << 8) | bytes[at + 3]
  if (fromPort !== DOMAIN && toPort !== DOMAIN && !isServer(decoder, fromPort, toPort)) {
    if ((toPort === DNS_ENCRYPTED || toPort === HTTPS) && (bytes[at + 13] & (SYN | ACK)) === SYN)
      noteEncrypted(decoder, fromPort, toPort)
    return OTHER
  }
  const data = at + ((bytes[at + 12] >> 4) << 2)
  if (data < at + HEADER || data > wireEnd) return issue(decoder, 'tcp-header')
  if (!internAddresses(decoder, decoder.streamAddresses)) {
    forgetAll(decoder)
    internAddresses(decoder, decoder.streamAddresses)
  }
  decoder.vantage = vantageOf(decoder)
  decoder.fromPort = fromPort
  decoder.toPort = toPort
  decoder.ipId = NONE
  const rows = decoder.rows
  segment(decoder, at, data, end, wireEnd)
  return decoder.rows > rows ? DNS : PART
}

/** Without a whole header; it matters only where the ports are there and say DNS. */
function short(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + 4 <= end) {
    const fromPort = (bytes[at] << 8) | bytes[at + 1]
    const toPort = (bytes[at + 2] << 8) | bytes[at + 3]
    if (fromPort !== DOMAIN && toPort !== DOMAIN) return OTHER
  }
  return tooShort(decoder, 'tcp-header', end, wireEnd)
}

/** Whether one end is a server that listens elsewhere than on port 53. */
function isServer(decoder: Decoder, fromPort: number, toPort: number): boolean {
  const { servers } = decoder
  if (fromPort === MULTICAST_DNS || toPort === MULTICAST_DNS) return true
  if (servers.ports[fromPort] + servers.ports[toPort] === 0) return false
  internAddresses(decoder)
  return servers.has(decoder.from, fromPort) || servers.has(decoder.to, toPort)
}

/** The segment whose header stands at `at` and whose data at `data`. Addresses, ports and vantage are the decoder's. */
function segment(decoder: Decoder, at: number, data: number, end: number, wireEnd: number): void {
  const { bytes } = decoder
  const flags = bytes[at + 13]
  const connection = find(decoder)
  let sequence = wordAt(bytes, at + 4)
  if ((flags & (SYN | ACK)) === SYN) open(decoder, connection, sequence)
  const isFromA = connection.a === decoder.from && connection.aPort === decoder.fromPort
  const own = isFromA ? connection.fromA : connection.fromB
  const other = isFromA ? connection.fromB : connection.fromA
  if ((flags & SYN) !== 0) {
    sequence = (sequence + 1) | 0
    // A copy of the SYN, or its retransmission, starts nothing anew.
    const isKnown =
      own.started && own.inStep && ((own.next - sequence) | 0) >= 0 && ((own.next - sequence) | 0) < 65_536
    if (!isKnown) restart(decoder, own, sequence, true)
  }
  if ((flags & ACK) !== 0 && (flags & RST) === 0) {
    acknowledge(decoder, connection, other, wordAt(bytes, at + 8))
    face(decoder, connection, own)
  }
  // What stands behind a reset's header is text for people (RFC 9293 3.5.3).
  if ((flags & RST) !== 0) {
    if (!connection.reset) {
      const row = appendBareRow(decoder, connection, TCP_RESET)
      // Nothing came from this side before: it is the SYN that was refused.
      if (row !== NONE && !own.started) decoder.messages.sinceSyn[row] = sinceSyn(decoder, connection)
    }
    connection.reset = true
  } else if (wireEnd > data) {
    addSegment(decoder, connection, own, sequence, data, Math.max(data, end), wireEnd)
  }
  if ((flags & FIN) !== 0) connection.finished = true
}

/** A row about the connection itself; NONE where there is no room for its addresses. */
function appendBareRow(decoder: Decoder, connection: Connection, kind: number): number {
  const { from, to } = decoder
  const row = knowAddresses(decoder, connection) ? makeBareRow(decoder, kind, TCP) : NONE
  decoder.from = from
  decoder.to = to
  return row
}

/** A SYN: a new connection, which may have the ports of an old one. */
function open(decoder: Decoder, connection: Connection, sequence: number): void {
  if (connection.synSequence === sequence && !connection.reset) {
    if (!connection.silent) noteSilence(decoder, connection)
    return
  }
  closeStreams(decoder, connection)
  connection.fromA = newStream()
  connection.fromB = newStream()
  connection.synSequence = sequence
  connection.synSeconds = decoder.seconds
  connection.synNanos = decoder.nanos
  connection.reset = false
  connection.silent = false
  connection.finished = false
}

/** The SYN again: a copy of it at another interface, or its retransmission, as nothing came back. */
function noteSilence(decoder: Decoder, connection: Connection): void {
  const isFromA = connection.a === decoder.from && connection.aPort === decoder.fromPort
  const other = isFromA ? connection.fromB : connection.fromA
  if (other.started || !(sinceSyn(decoder, connection) >= SYN_TIMER)) return
  connection.silent = true
  // The frame completes no message.
  if (appendBareRow(decoder, connection, TCP_SILENT) !== NONE) decoder.rows--
}

/** Nanoseconds since the connection's SYN; NaN where that was not seen, or a query has passed since. */
const sinceSyn = (decoder: Decoder, { synSeconds, synNanos }: Connection): number =>
  (decoder.seconds - synSeconds) * 1e9 + (decoder.nanos - synNanos)

/** The connection of the segment at hand, a new one if need be. */
function find(decoder: Decoder): Connection {
  const { vantage, from, to, fromPort, toPort } = decoder
  const isA = from < to || (from === to && fromPort <= toPort)
  const a = isA ? from : to
  const b = isA ? to : from
  const aPort = isA ? fromPort : toPort
  const bPort = isA ? toPort : fromPort
  const key = keyOf(vantage, a, b, aPort, bPort)
  const known = decoder.connections.get(key, true)
  if (known) {
    if (known.a === a && known.b === b && known.aPort === aPort && known.bPort === bPort && known.vantage === vantage)
      return known
    dropConnection(decoder, known, true)
  }
  const connection: Connection = {
    vantage,
    a,
    b,
    aPort,
    bPort,
    aAddress: NONE,
    bAddress: NONE,
    fromA: newStream(),
    fromB: newStream(),
    synSeconds: Number.NaN,
    synNanos: 0,
    synSequence: Number.NaN,
    reset: false,
    silent: false,
    finished: false,
  }
  decoder.connections.set(key, connection)
  return connection
}

/** 53 bits; who finds an entry still compares. */
function keyOf(vantage: number, a: number, b: number, aPort: number, bPort: number): number {
  const low = Math.imul(a, 0x9e37_79b1) ^ Math.imul(b, 0x85eb_ca6b) ^ Math.imul(vantage, 0x27d4_eb2f)
  return ((low >>> 11) & 0x1f_ffff) * 0x1_0000_0000 + (((aPort << 16) ^ bPort ^ low) >>> 0)
}

/** For want of room for addresses. */
function forgetAll(decoder: Decoder): void {
  decoder.connections.turn(true)
  decoder.connections.turn(true)
  decoder.streamAddresses = new Addresses(MOST_PASSING_ADDRESSES)
}

function closeStreams(decoder: Decoder, connection: Connection): void {
  endStream(decoder, connection, connection.fromA)
  endStream(decoder, connection, connection.fromB)
}

/** A connection is forgotten: after a long silence, for want of room (`full`), or at the end of the capture. */
export function dropConnection(decoder: Decoder, connection: Connection, full: boolean): void {
  const { fromA, fromB } = connection
  if (full && !connection.finished && !connection.reset)
    note(decoder, isBetweenMessages(fromA) && isBetweenMessages(fromB) ? 'tcp-forgotten' : 'tcp-limit')
  if (fromA.early.length > 0 || fromB.early.length > 0) {
    // Messages that are found now belong to frames of the past; the one at hand is none of their business.
    const saved = { ...decoder }
    decoder.frame = 0
    closeStreams(decoder, connection)
    const { streamBytes } = decoder
    Object.assign(decoder, saved)
    decoder.streamBytes = streamBytes
  } else closeStreams(decoder, connection)
}

/** Nothing is lost when the stream is forgotten: it is read like one that begins in the middle. */
const isBetweenMessages = ({ heldLength, length, early }: Stream): boolean =>
  heldLength === 0 && length === 0 && early.length === 0

const wordAt = (bytes: Buffer, at: number): number =>
  (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
