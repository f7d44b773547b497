/**
 * One direction of a TCP connection with DNS in it (RFC 7766, RFC 9293): segments become bytes in order, bytes become messages.
 *
 *       0        2
 *      +--------+---------+--------+---------+---
 *      | length | message | length | message | ...
 *      +--------+---------+--------+---------+---
 *
 * Segments come late, twice, overlapping, cut by the snap length, or never. What is missing for good is a hole. A message with a hole
 * in it is told as cut; behind a hole that swallowed a length we look for the next bytes that can only be a length and a DNS header.
 */
import { QR } from '../codes.ts'
import { TCP } from '../model.ts'
import { type Connection, type EarlySegment, face, knowAddresses, NO_BYTES, type Stream } from './connection.ts'
import { bookLate, type Decoder, enter, momentOf, note } from './decoder.ts'
import { appendMessage, HEADER, LEAST } from './dns.ts'
import { looksLikeDns, looksLikeHeader } from './recognise.ts'

const PREFIX = 2

/** Early segments that wait for the one before them, per direction. */
const MOST_EARLY = 256
const MOST_EARLY_BYTES = 256 * 1024
/** What the network lost comes again sooner than this, as something came behind it: what it lost is asked for at once. */
const HOLE_NANOSECONDS = 0.5e9
/** Bytes held for all streams together. */
const MOST_STREAM_BYTES = 64 * 1024 * 1024
/** A sequence number further away than any window belongs to another connection with the same ports. */
const FAR = 1 << 24

/** Forgets what was; a stream that begins with `sequence`, in step (behind a SYN) or not. */
export function restart(decoder: Decoder, stream: Stream, sequence: number, inStep: boolean): void {
  forgetMessage(decoder, stream)
  for (const segment of stream.early) decoder.streamBytes -= segment.bytes.length
  stream.early = []
  stream.earlyBytes = 0
  stream.next = sequence
  stream.started = true
  stream.inStep = inStep
  stream.hasAcknowledged = false
}

/** Takes a segment with the data [at, end), of which the wire had [at, wireEnd). */
export function addSegment(
  decoder: Decoder,
  connection: Connection,
  stream: Stream,
  sequence: number,
  at: number,
  end: number,
  wireEnd: number,
): void {
  if (!stream.started) restart(decoder, stream, sequence, false)
  const ahead = (sequence - stream.next) | 0
  if (ahead > FAR || ahead < -FAR) {
    restart(decoder, stream, sequence, false)
  } else if (ahead > 0) {
    if (!stream.inStep && stream.early.length === 0) {
      // Nothing is lost that had a place.
      stream.next = sequence
    } else {
      hold(decoder, stream, sequence, at, end, wireEnd - at)
      if (isHole(decoder, stream)) passHole(decoder, connection, stream)
      return
    }
  }
  take(decoder, connection, stream, sequence, at, end, wireEnd)
  if (stream.early.length > 0) takeEarly(decoder, connection, stream)
}

/** The other side has received everything before `sequence`: what we miss of that will not come. */
export function acknowledge(decoder: Decoder, connection: Connection, stream: Stream, sequence: number): void {
  if (stream.hasAcknowledged && ((sequence - stream.acknowledged) | 0) <= 0) return
  stream.acknowledged = sequence
  stream.hasAcknowledged = true
  while (stream.early.length > 0 && isHole(decoder, stream)) passHole(decoder, connection, stream)
}

/** Nothing more will come: early segments are read as they are. */
export function endStream(decoder: Decoder, connection: Connection, stream: Stream): void {
  while (stream.early.length > 0) passHole(decoder, connection, stream)
  forgetMessage(decoder, stream)
}

// -- Early segments and holes ---------------------------------------------------------------------------------------------

function hold(decoder: Decoder, stream: Stream, sequence: number, at: number, end: number, wireLength: number): void {
  const { early } = stream
  let i = early.length
  while (i > 0 && ((early[i - 1].sequence - sequence) | 0) > 0) i--
  const before = i > 0 ? early[i - 1] : null
  // A copy, or a retransmission in the same pieces.
  if (before && ((before.sequence + before.wireLength - sequence - wireLength) | 0) >= 0) return
  const bytes = Buffer.from(decoder.bytes.subarray(at, end))
  early.splice(i, 0, { sequence, bytes, wireLength, moment: momentOf(decoder) })
  stream.earlyBytes += bytes.length
  decoder.streamBytes += bytes.length
}

/** Whether what is missing before the first early segment is missing for good. */
function isHole(decoder: Decoder, stream: Stream): boolean {
  const { early } = stream
  if (early.length === 0) return false
  if (stream.hasAcknowledged && ((stream.acknowledged - early[0].sequence) | 0) >= 0) return true
  if (early.length > MOST_EARLY || stream.earlyBytes > MOST_EARLY_BYTES || decoder.streamBytes > MOST_STREAM_BYTES) {
    note(decoder, 'tcp-limit')
    return true
  }
  const { moment } = early[0]
  return (decoder.seconds - moment.seconds) * 1e9 + decoder.nanos - moment.nanos > HOLE_NANOSECONDS
}

/** Goes on behind a hole. Messages that are found there belong to the frames of their pieces, not to the one at hand. */
function passHole(decoder: Decoder, connection: Connection, stream: Stream): void {
  const { early } = stream
  decoder.issues.add('tcp-hole', decoder.capture.file, early[0].moment.frame)
  face(decoder, connection, stream)
  const now = momentOf(decoder)
  const { rows } = decoder
  let ownRows = 0
  let missing = (early[0].sequence - stream.next) | 0
  while (early.length > 0 && (missing > 0 || ((early[0].sequence - stream.next) | 0) <= 0)) {
    const { moment, sequence } = early[0]
    enter(decoder, moment)
    decoder.rows = 0
    if (missing > 0) {
      if (stream.inStep) passMissing(decoder, connection, stream, missing)
      stream.next = sequence
      missing = 0
    }
    takeFirstEarly(decoder, connection, stream)
    if (moment.frame === now.frame) ownRows += decoder.rows
    else if (decoder.rows > 0) bookLate(decoder)
  }
  enter(decoder, now)
  decoder.rows = rows + ownRows
}

/** Early segments whose time has come, because the frame at hand filled the gap. */
function takeEarly(decoder: Decoder, connection: Connection, stream: Stream): void {
  while (stream.early.length > 0 && ((stream.early[0].sequence - stream.next) | 0) <= 0)
    takeFirstEarly(decoder, connection, stream)
}

function takeFirstEarly(decoder: Decoder, connection: Connection, stream: Stream): void {
  const segment = stream.early.shift() as EarlySegment
  stream.earlyBytes -= segment.bytes.length
  decoder.streamBytes -= segment.bytes.length
  const frame = decoder.bytes
  decoder.bytes = segment.bytes
  take(decoder, connection, stream, segment.sequence, 0, segment.bytes.length, segment.wireLength)
  decoder.bytes = frame
}

/** `missing` bytes will not come. Inside of a message its length tells where the next one begins. */
function passMissing(decoder: Decoder, connection: Connection, stream: Stream, missing: number): void {
  const rest = stream.length - stream.passed
  if (stream.length > 0 && missing < rest) {
    stream.passed += missing
    stream.holed = true
    return
  }
  if (stream.length > 0) {
    stream.holed = true
    stream.passed = stream.length
    appendHeld(decoder, connection, stream)
    stream.inStep = missing === rest
  } else {
    stream.inStep = false
  }
  forgetMessage(decoder, stream)
}

// -- Bytes in order ---------------------------------------------------------------------------------------------------------

/** Data that begins at or before `stream.next`. What is not new is left out. */
function take(
  decoder: Decoder,
  connection: Connection,
  stream: Stream,
  sequence: number,
  at: number,
  end: number,
  wireEnd: number,
): void {
  const known = (stream.next - sequence) | 0
  if (known >= wireEnd - at) return
  let position = at + known
  stream.next = (sequence + (wireEnd - at)) | 0
  while (position < wireEnd) {
    if (!stream.inStep) {
      position = findStep(decoder, connection, stream, position, end, wireEnd)
      continue
    }
    if (stream.length === 0) {
      const whole = position + PREFIX <= end && stream.heldLength === 0
      if (whole) {
        const length = PREFIX + ((decoder.bytes[position] << 8) | decoder.bytes[position + 1])
        if (length >= PREFIX + HEADER && position + length <= wireEnd && position + PREFIX + LEAST <= end) {
          // The usual case: a whole message in one segment is read where it is.
          append(decoder, connection, position + PREFIX, Math.min(end, position + length), position + length)
          position += length
          continue
        }
      }
      position = takePrefix(decoder, stream, position, end)
      continue
    }
    position = takeBody(decoder, connection, stream, position, end, wireEnd)
  }
}

/** Takes the length, or one byte of it. */
function takePrefix(decoder: Decoder, stream: Stream, at: number, end: number): number {
  if (at >= end) {
    // The capture cut it off.
    loseStep(decoder, stream)
    return at
  }
  if (!holdBytes(decoder, stream, at, at + 1)) {
    loseStep(decoder, stream)
    return at
  }
  if (stream.heldLength === PREFIX) {
    const length = (stream.held[0] << 8) | stream.held[1]
    if (length < HEADER) {
      note(decoder, 'tcp-length')
      loseStep(decoder, stream)
    } else {
      stream.length = PREFIX + length
      stream.passed = PREFIX
    }
  }
  return at + 1
}

/** Takes bytes of the message under way. */
function takeBody(
  decoder: Decoder,
  connection: Connection,
  stream: Stream,
  at: number,
  end: number,
  wireEnd: number,
): number {
  const limit = Math.min(wireEnd, at + stream.length - stream.passed)
  const available = Math.min(end, limit)
  if (!stream.holed && available > at && !holdBytes(decoder, stream, at, available)) stream.holed = true
  if (available < limit) stream.holed = true
  stream.passed += limit - at
  if (stream.passed === stream.length) {
    appendHeld(decoder, connection, stream)
    forgetMessage(decoder, stream)
  }
  return limit
}

/** Keeps bytes of the message under way. False: there is no room. */
function holdBytes(decoder: Decoder, stream: Stream, at: number, end: number): boolean {
  const needed = stream.heldLength + end - at
  if (needed > stream.held.length) {
    // The oldest connections make room; the one at hand is young and stays.
    if (decoder.streamBytes > MOST_STREAM_BYTES) decoder.connections.turn(true)
    if (decoder.streamBytes > MOST_STREAM_BYTES) {
      note(decoder, 'tcp-limit')
      return false
    }
    const larger = Buffer.alloc(Math.max(needed, 2 * stream.held.length, 64))
    stream.held.copy(larger, 0, 0, stream.heldLength)
    decoder.streamBytes += larger.length - stream.held.length
    stream.held = larger
  }
  decoder.bytes.copy(stream.held, stream.heldLength, at, end)
  stream.heldLength = needed
  return true
}

/** The message that is held has passed to its end. */
function appendHeld(decoder: Decoder, connection: Connection, stream: Stream): void {
  if (stream.heldLength < PREFIX + LEAST) {
    note(decoder, 'headers-cut')
    return
  }
  const frame = decoder.bytes
  decoder.bytes = stream.held
  append(decoder, connection, PREFIX, stream.heldLength, stream.length)
  decoder.bytes = frame
}

function forgetMessage(decoder: Decoder, stream: Stream): void {
  decoder.streamBytes -= stream.held.length
  stream.held = NO_BYTES
  stream.heldLength = 0
  stream.length = 0
  stream.passed = 0
  stream.holed = false
}

function loseStep(decoder: Decoder, stream: Stream): void {
  forgetMessage(decoder, stream)
  stream.inStep = false
}

/**
 * Looks for the beginning of a message and returns where reading goes on: at the first bytes that can only be a length and a DNS
 * message, or behind the segment. A segment may begin with the message itself, when its length went alone in one before (many
 * clients write the two apart), or consist of a length only.
 */
function findStep(
  decoder: Decoder,
  connection: Connection,
  stream: Stream,
  at: number,
  end: number,
  wireEnd: number,
): number {
  const { bytes } = decoder
  if (wireEnd - at === PREFIX && end === wireEnd) {
    // In doubt: the bytes behind it decide.
    const length = (bytes[at] << 8) | bytes[at + 1]
    if (length < HEADER) return wireEnd
    stream.inStep = true
    return at
  }
  if (looksLikeDns(bytes, at, wireEnd, end)) {
    append(decoder, connection, at, Math.min(end, wireEnd), wireEnd)
    return wireEnd
  }
  // The capture cut the question off: a length that fits the segment exactly makes up for it.
  if (end < wireEnd && at + PREFIX + HEADER <= end && looksLikeHeader(bytes, at + PREFIX)) {
    if (((bytes[at] << 8) | bytes[at + 1]) === wireEnd - at - PREFIX) {
      stream.inStep = true
      return at
    }
  }
  for (let start = at; start + PREFIX + HEADER <= end; start++) {
    const length = (bytes[start] << 8) | bytes[start + 1]
    if (length >= HEADER && looksLikeDns(bytes, start + PREFIX, start + PREFIX + length, end)) {
      stream.inStep = true
      return start
    }
  }
  return wireEnd
}

function append(decoder: Decoder, connection: Connection, at: number, end: number, wireEnd: number): void {
  const isQuery = (((decoder.bytes[at + 2] << 8) | decoder.bytes[at + 3]) & QR) === 0
  const { from, to } = decoder
  if (!knowAddresses(decoder, connection)) return
  appendMessage(decoder, TCP, at, end, wireEnd, wireEnd - at + PREFIX)
  decoder.from = from
  decoder.to = to
  if (!isQuery || Number.isNaN(connection.synSeconds)) return
  const { messages } = decoder
  messages.sinceSyn[messages.length - 1] =
    (decoder.seconds - connection.synSeconds) * 1e9 + (decoder.nanos - connection.synNanos)
  connection.synSeconds = Number.NaN
}
