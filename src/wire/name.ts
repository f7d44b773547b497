/**
 * A domain name on the wire (RFC 1035 3.1 and 4.1.4).
 *
 *      +--------+----------------+--------+-----+---+      +--------+--------+
 *      | length | label ...      | length | ... | 0 |  or  |11    offset      |
 *      +--------+----------------+--------+-----+---+      +--------+--------+
 *
 * A length has its two high bits 00. A pointer counts from the message's first byte and stands for the rest of a name. Ours must
 * point to before the labels that led to it, so the window shrinks with every pointer and the walk ends, whatever the bytes are.
 */

/** What became of reading a name. */
export const WHOLE = 0
/** The bytes ended first; whole labels were read. */
export const ENDED = 1
/** The bytes contradict the format. */
export const BROKEN = 2
export type NameState = typeof WHOLE | typeof ENDED | typeof BROKEN

/** RFC 1035 2.3.4. */
const LONGEST_NAME = 255
/** The first byte behind the header, where a pointer can point at the earliest. */
const HEADER = 12

const scratch = Buffer.alloc(LONGEST_NAME + 1)

/** A name that was read, without compression: bytes[start .. end), the final zero included where the name is whole. */
export interface WireName {
  bytes: Buffer
  start: number
  end: number
  /** Where reading goes on behind the name. */
  next: number
}

export const newName = (): WireName => ({ bytes: scratch, start: 0, end: 0, next: 0 })

/** Reads the name at `at` of the message that begins at `base`. An uncompressed name stays where it is, another one is put together. */
export function readName(bytes: Buffer, base: number, at: number, end: number, name: WireName): NameState {
  let position = at
  name.bytes = bytes
  name.start = at
  while (position < end) {
    const length = bytes[position]
    if (length === 0) {
      name.end = name.next = position + 1
      return name.end - at > LONGEST_NAME ? BROKEN : WHOLE
    }
    if (length > 63) {
      if (length < 192) break
      return readCompressed(bytes, base, at, position, end, name)
    }
    if (position + 1 + length > end) break
    position += 1 + length
    if (position - at >= LONGEST_NAME) break
  }
  name.end = name.next = position
  if (position - at >= LONGEST_NAME) return BROKEN
  return position < end && bytes[position] > 63 ? BROKEN : ENDED
}

/** Goes on at the pointer at `pointer`, behind the labels of [at, pointer). */
function readCompressed(
  bytes: Buffer,
  base: number,
  at: number,
  pointer: number,
  end: number,
  name: WireName,
): NameState {
  let runStart = at
  let position = pointer
  let length = pointer - at
  for (let i = 0; i < length; i++) scratch[i] = bytes[at + i]
  name.bytes = scratch
  name.start = 0
  name.end = length
  name.next = Math.min(pointer + 2, end)
  while (position < end) {
    const head = bytes[position]
    if (head > 63) {
      if (head < 192) return BROKEN
      if (position + 2 > end) return ENDED
      const target = base + (((head & 63) << 8) | bytes[position + 1])
      if (target >= runStart || target < base + HEADER) return BROKEN
      runStart = position = target
      continue
    }
    if (length + 1 + head > LONGEST_NAME) return BROKEN
    if (position + 1 + head > end) return ENDED
    for (let i = 0; i <= head; i++) scratch[length++] = bytes[position++]
    name.end = length
    if (head === 0) return WHOLE
  }
  return ENDED
}

/** Steps over the name at `at` and returns what follows it; -1 where the bytes end first, -2 where they contradict the format. */
export function skipName(bytes: Buffer, at: number, end: number): number {
  let position = at
  while (position < end) {
    const length = bytes[position]
    if (length === 0) return position + 1
    if (length > 63) {
      if (length < 192) return -2
      return position + 2 > end ? -1 : position + 2
    }
    position += 1 + length
  }
  return -1
}
