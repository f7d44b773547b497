/**
 * IP fragments become datagrams again: RFC 791 3.2, RFC 8200 4.5, and RFC 5722 (overlapping fragments condemn the datagram).
 * Fragments come in any order; the interface at which they were captured is part of the key, so copies do not mix. A datagram of
 * which a piece is missing (a filter "port 53" loses every fragment but the first) yields a cut message from what is there.
 */
import {
  bookLate,
  type Decoder,
  DNS,
  enter,
  type FrameClass,
  internAddresses,
  MOST_PASSING_ADDRESSES,
  type Moment,
  momentOf,
  note,
  OTHER,
  PART,
  vantageOf,
} from './decoder.ts'
import { DOMAIN, mayBeDns } from './ports.ts'
import { Addresses } from './tables.ts'
import { GRE, IPV4_IN_IP, IPV6_IN_IP, TCP_PROTOCOL, transport, UDP_PROTOCOL } from './transport.ts'
import { mayBeTunnel } from './tunnels.ts'

/** How long the pieces of one datagram may be apart. Real ones come within milliseconds. */
export const FRAGMENT_SECONDS = 2
/** Datagrams under way in one generation, and the bytes that are held for all of them. */
export const MOST_DATAGRAMS = 4096
const MOST_BYTES = 32 * 1024 * 1024
/** A finished datagram swallows copies of its fragments (interface "any" without interface numbers) for so long. */
const COPY_NANOS = 1e8
/** What a datagram may hold behind its header. */
const LONGEST = 65_535

const WAITING = 0
const DONE = 1
/** Not DNS, or condemned: further pieces are of no interest. */
const IGNORED = 2

/** A datagram under way. */
export interface Datagram {
  state: typeof WAITING | typeof DONE | typeof IGNORED
  vantage: number
  from: number
  to: number
  protocol: number
  id: number
  /** The IP header (without extension headers), and the payload as far as it is there. */
  bytes: Buffer
  headerLength: number
  version: number
  /** Where each piece that came begins and ends, in order of their place. */
  starts: number[]
  ends: number[]
  received: number
  /** Length of the payload, -1 while the last piece is missing. */
  total: number
  /** Payload behind this was cut off by the capture. */
  cutAt: number
  /** The first piece is there and tells that it is DNS. */
  isDns: boolean
  /** Pieces that were counted as other frames, as nobody knew better. */
  countedAsOther: number
  first: Moment | null
  doneSeconds: number
  doneNanos: number
}

/**
 * One fragment with the payload [at, end). The decoder has the addresses; `offset` is in bytes. Returns what the frame is: a
 * part, or what the whole datagram holds.
 */
export function fragment(
  decoder: Decoder,
  protocol: number,
  id: number,
  offset: number,
  more: boolean,
  at: number,
  end: number,
  wireEnd: number,
): FrameClass {
  if (
    protocol !== UDP_PROTOCOL &&
    protocol !== TCP_PROTOCOL &&
    protocol !== GRE &&
    protocol !== IPV4_IN_IP &&
    protocol !== IPV6_IN_IP
  )
    return OTHER
  const datagram = find(decoder, protocol, id)
  if (datagram.state === DONE) return datagram.isDns ? PART : OTHER
  if (datagram.state === IGNORED) return OTHER
  if (offset === 0 && !takeFirst(decoder, datagram, at, end)) return OTHER
  const length = wireEnd - at
  if (!addPiece(decoder, datagram, offset, length, at, end)) {
    note(decoder, 'fragments-overlap')
    return drop(decoder, datagram)
  }
  if (!more) datagram.total = offset + length
  if (datagram.total >= 0 && datagram.received > datagram.total) {
    note(decoder, 'fragments-overlap')
    return drop(decoder, datagram)
  }
  if (datagram.received === datagram.total) return finish(decoder, datagram)
  if (datagram.isDns) return PART
  datagram.countedAsOther++
  return OTHER
}

/** The datagram to which the fragment at hand belongs, a new one if need be. */
function find(decoder: Decoder, protocol: number, id: number): Datagram {
  if (!internAddresses(decoder, decoder.fragmentAddresses)) {
    forgetAll(decoder)
    internAddresses(decoder, decoder.fragmentAddresses)
  }
  const vantage = vantageOf(decoder)
  const { from, to, seconds, nanos, version } = decoder
  const key = keyOf(vantage, from, to, protocol, id)
  const known = decoder.fragments.get(key, false)
  if (known) {
    const same =
      known.id === id &&
      known.from === from &&
      known.to === to &&
      known.vantage === vantage &&
      known.protocol === protocol
    const age = (seconds - known.doneSeconds) * 1e9 + (nanos - known.doneNanos)
    const stale = known.state === DONE && Math.abs(age) > COPY_NANOS
    if (same && !stale) return known
    giveUpDatagram(decoder, known, false)
  }
  const datagram: Datagram = {
    state: WAITING,
    vantage,
    from,
    to,
    protocol,
    id,
    bytes: Buffer.alloc(0),
    headerLength: version === 4 ? 20 : 40,
    version,
    starts: [],
    ends: [],
    received: 0,
    total: -1,
    cutAt: Number.POSITIVE_INFINITY,
    isDns: false,
    countedAsOther: 0,
    first: null,
    doneSeconds: 0,
    doneNanos: 0,
  }
  decoder.fragments.set(key, datagram)
  return datagram
}

/** For want of room for addresses. */
function forgetAll(decoder: Decoder): void {
  decoder.fragments.turn(true)
  decoder.fragments.turn(true)
  decoder.fragmentAddresses = new Addresses(MOST_PASSING_ADDRESSES)
}

/** 53 bits; who finds an entry still compares. */
function keyOf(vantage: number, from: number, to: number, protocol: number, id: number): number {
  const low = Math.imul(from, 0x9e37_79b1) ^ Math.imul(to, 0x85eb_ca6b) ^ Math.imul(vantage, 0x27d4_eb2f) ^ protocol
  return (low & 0x1f_ffff) * 0x1_0000_0000 + ((id ^ low) >>> 0)
}

/** The first piece tells the ports. False: of no interest. */
function takeFirst(decoder: Decoder, datagram: Datagram, at: number, end: number): boolean {
  const { bytes, capture } = decoder
  datagram.first = momentOf(decoder)
  if (datagram.protocol !== UDP_PROTOCOL && datagram.protocol !== TCP_PROTOCOL) return true
  if (at + 4 > end) return true
  const fromPort = (bytes[at] << 8) | bytes[at + 1]
  const toPort = (bytes[at + 2] << 8) | bytes[at + 3]
  if (fromPort === DOMAIN || toPort === DOMAIN) {
    if (datagram.isDns) return true
    datagram.isDns = true
    capture.otherFrames -= datagram.countedAsOther
    capture.partFrames += datagram.countedAsOther
    datagram.countedAsOther = 0
    return true
  }
  if (mayBeDns(decoder, fromPort, toPort)) return true
  if (datagram.protocol === UDP_PROTOCOL && mayBeTunnel(decoder, fromPort, toPort)) return true
  drop(decoder, datagram)
  return false
}

/** Copies the payload to its place. False: it overlaps what is there, or is too long; a copy of a piece is neither. */
function addPiece(
  decoder: Decoder,
  datagram: Datagram,
  offset: number,
  length: number,
  at: number,
  end: number,
): boolean {
  const { starts, ends, headerLength } = datagram
  const limit = offset + length
  if (limit > LONGEST) return false
  let i = starts.length
  while (i > 0 && starts[i - 1] > offset) i--
  if (i > 0 && starts[i - 1] === offset && ends[i - 1] === limit) return true
  if (i > 0 && ends[i - 1] > offset) return false
  if (i < starts.length && starts[i] < limit) return false
  starts.splice(i, 0, offset)
  ends.splice(i, 0, limit)
  datagram.received += length
  if (end - at < length) datagram.cutAt = Math.min(datagram.cutAt, offset + end - at)
  const needed = headerLength + offset + (end - at)
  if (needed > datagram.bytes.length) enlarge(decoder, datagram, needed)
  decoder.bytes.copy(datagram.bytes, headerLength + offset, at, end)
  if (offset === 0 || starts.length === 1) copyAddresses(decoder, datagram)
  return true
}

function enlarge(decoder: Decoder, datagram: Datagram, needed: number): void {
  const { bytes } = datagram
  const larger = Buffer.alloc(bytes.length === 0 ? needed : Math.max(needed, Math.min(2 * bytes.length, 65_600)))
  bytes.copy(larger)
  datagram.bytes = larger
  decoder.fragmentBytes += larger.length - bytes.length
  // The oldest make room; the one at hand is young and stays.
  if (decoder.fragmentBytes > MOST_BYTES) decoder.fragments.turn(true)
}

/** Where internAddresses looks for them. */
function copyAddresses(decoder: Decoder, datagram: Datagram): void {
  const length = datagram.version === 4 ? 4 : 16
  decoder.bytes.copy(datagram.bytes, datagram.headerLength - 2 * length, decoder.fromAt, decoder.fromAt + length)
  decoder.bytes.copy(datagram.bytes, datagram.headerLength - length, decoder.toAt, decoder.toAt + length)
}

function finish(decoder: Decoder, datagram: Datagram): FrameClass {
  const { capture } = decoder
  const { headerLength, total } = datagram
  const frame = decoder.bytes
  const available = Math.min(total, datagram.cutAt)
  const result = read(decoder, datagram, headerLength + available, headerLength + total)
  decoder.bytes = frame
  if (result === DNS || result === PART) {
    datagram.isDns = true
    capture.otherFrames -= datagram.countedAsOther
    capture.partFrames += datagram.countedAsOther
    datagram.countedAsOther = 0
  }
  datagram.state = DONE
  datagram.doneSeconds = decoder.seconds
  datagram.doneNanos = decoder.nanos
  release(decoder, datagram)
  return result
}

/** Reads the payload as the transport that it is. */
function read(decoder: Decoder, datagram: Datagram, end: number, wireEnd: number): FrameClass {
  const { headerLength, version } = datagram
  const length = version === 4 ? 4 : 16
  decoder.bytes = datagram.bytes
  decoder.version = version
  decoder.fromAt = headerLength - 2 * length
  decoder.toAt = headerLength - length
  decoder.size = wireEnd
  return transport(decoder, datagram.protocol, headerLength, end, wireEnd)
}

function drop(decoder: Decoder, datagram: Datagram): FrameClass {
  datagram.state = IGNORED
  release(decoder, datagram)
  return datagram.isDns ? PART : OTHER
}

function release(decoder: Decoder, datagram: Datagram): void {
  decoder.fragmentBytes -= datagram.bytes.length
  datagram.bytes = Buffer.alloc(0)
  datagram.starts.length = datagram.ends.length = 0
}

/** The rest did not come. What a DNS message's first piece holds is told as a cut message, at the time of that piece. */
export function giveUpDatagram(decoder: Decoder, datagram: Datagram, full: boolean): void {
  if (datagram.state === WAITING && datagram.isDns) {
    const { first, headerLength, cutAt, ends, protocol } = datagram
    decoder.issues.add(full ? 'fragments-limit' : 'fragments-lost', decoder.capture.file, first?.frame ?? null)
    if (first && protocol === UDP_PROTOCOL && ends.length > 0) {
      const saved = { ...decoder }
      enter(decoder, first)
      decoder.depth = 0
      decoder.rows = 0
      decoder.ipId = datagram.version === 4 ? datagram.id : saved.ipId
      const available = headerLength + Math.min(contiguous(datagram), cutAt)
      // How long it was, UDP's own length tells.
      const told = available >= headerLength + 6 ? datagram.bytes.readUInt16BE(headerLength + 4) : LONGEST
      read(decoder, datagram, available, headerLength + Math.max(told, available - headerLength))
      if (decoder.rows > 0) bookLate(decoder)
      Object.assign(decoder, saved)
    }
  }
  if (datagram.state === WAITING) release(decoder, datagram)
  datagram.state = IGNORED
}

/** How much of the payload is there from its beginning. */
function contiguous(datagram: Datagram): number {
  const { starts, ends } = datagram
  let reached = 0
  for (let i = 0; i < starts.length && starts[i] === reached; i++) reached = ends[i]
  return reached
}
