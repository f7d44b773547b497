/**
 * Whether bytes have the shape of a DNS message: asked where no port number says so, and where a TCP stream has lost its place.
 * The first question is the proof: one question, a name without pointers, a known class.
 */
import { skipName } from './name.ts'

/** Header, root name, type and class. */
const SHORTEST = 17

/** No answer of a server has more records than this in one section, short of a zone transfer. */
const MOST_RECORDS = 4096

/**
 * A message that begins at `at` and ends at `end`, as far as it goes. `available` is where the bytes end that are there, which may
 * be earlier (a segment of a longer message).
 */
export function looksLikeDns(bytes: Buffer, at: number, end: number, available: number): boolean {
  if (end - at < SHORTEST || available - at < SHORTEST || !looksLikeHeader(bytes, at)) return false
  const limit = Math.min(end, available)
  const behind = questionEnd(bytes, at + 12, limit)
  if (behind < 0 || behind > limit) return false
  // A message without records ends with its question.
  for (let i = at + 6; i < at + 12; i++) if (bytes[i] !== 0) return true
  return behind === end
}

/** Whether the twelve bytes at `at` are a header with one question and nothing odd in it. */
export function looksLikeHeader(bytes: Buffer, at: number): boolean {
  if (bytes[at + 4] !== 0 || bytes[at + 5] !== 1) return false
  const response = bytes[at + 2] > 127
  const opcode = (bytes[at + 2] >> 3) & 15
  // Query, notify and update; the bit between RA and AD is zero.
  if ((opcode !== 0 && opcode !== 4 && opcode !== 5) || (bytes[at + 3] & 0x40) !== 0) return false
  const answers = (bytes[at + 6] << 8) | bytes[at + 7]
  const authority = (bytes[at + 8] << 8) | bytes[at + 9]
  const additional = (bytes[at + 10] << 8) | bytes[at + 11]
  if (response) {
    if ((bytes[at + 3] & 15) > 11) return false
    return answers <= MOST_RECORDS && authority <= MOST_RECORDS && additional <= MOST_RECORDS
  }
  if ((bytes[at + 3] & 0x8f) !== 0 || additional > 4) return false
  return opcode !== 0 || (answers === 0 && authority <= 1)
}

/** Where the question at `at` ends if it is a plain one; -1 if not. */
function questionEnd(bytes: Buffer, at: number, limit: number): number {
  const behind = skipName(bytes, at, limit)
  // A pointer in the first question could only point into the header.
  if (behind < 0 || bytes[behind - 1] !== 0 || behind - at > 255 || behind + 4 > limit) return -1
  if (bytes[behind] === 0 && bytes[behind + 1] === 0) return -1
  const qclass = (bytes[behind + 2] << 8) | bytes[behind + 3]
  return qclass === 1 || qclass === 3 || qclass === 4 || qclass >= 254 ? (qclass > 255 ? -1 : behind + 4) : -1
}
