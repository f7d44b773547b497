/**
 * What many names end with, such as the domains of a search list: a name that ends like another one keeps only what stands before. Found
 * as names come: the longest end that an earlier name had, too, becomes a tail, as long as there is room for another one.
 */
import { NONE } from '../model.ts'

/** What comes first is kept: a cluster's search domains come at once. A name keeps its tail's number in 12 bits. */
const MOST_TAILS = 2048
/** Powers of two: slots of the table of tails, and of the hashes of ends that were seen once. */
const TABLE = 8192
const ENDS = 8192
/** A shorter end saves nothing. */
const MIN_BYTES = 6
/** Labels of one name whose ends are looked for. */
const MOST_LABELS = 16

/** What a byte is in lower case (RFC 4343). Lengths of labels are smaller than any letter, so whole names can be lowered at once. */
export const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte))

export class Tails {
  private readonly bytes: Buffer[] = []
  private readonly hashes: number[] = []
  /** Open addressing: tail + 1, 0 where free. */
  private readonly table = new Uint16Array(TABLE)
  /** The latest hash in each slot. */
  private readonly ends = new Int32Array(ENDS)
  private readonly seed: number
  // Where the ends of the name that is looked at begin, and their hashes.
  private readonly starts = new Int32Array(MOST_LABELS)
  private readonly endHashes = new Int32Array(MOST_LABELS)

  constructor(seed: number) {
    this.seed = seed
  }

  /** The tail with which a name in lower case ends, behind its first label; NONE where no other name ended like it. */
  of(name: Uint8Array, end: number): number {
    const { starts, endHashes, ends } = this
    let labels = 0
    for (let at = 0; at < end && labels < MOST_LABELS; at += 1 + name[at]) {
      if (at === 0 || end - at < MIN_BYTES) continue
      starts[labels] = at
      endHashes[labels++] = hashOf(this.seed, name, at, end)
    }
    let found = NONE
    for (let i = 0; i < labels && found === NONE; i++) {
      const place = this.placeOf(name, starts[i], end, endHashes[i])
      if (this.table[place] !== 0) found = this.table[place] - 1
      else if (ends[endHashes[i] & (ENDS - 1)] === endHashes[i] && this.bytes.length < MOST_TAILS) {
        found = this.bytes.push(Buffer.from(name.subarray(starts[i], end))) - 1
        this.hashes.push(endHashes[i])
        this.table[place] = found + 1
      }
    }
    for (let i = 0; i < labels; i++) ends[endHashes[i] & (ENDS - 1)] = endHashes[i]
    return found
  }

  /** Its bytes. */
  get(tail: number): Buffer {
    return this.bytes[tail]
  }

  private placeOf(name: Uint8Array, start: number, end: number, hash: number): number {
    const { table, hashes } = this
    let place = hash & (TABLE - 1)
    for (; table[place] !== 0; place = (place + 1) & (TABLE - 1)) {
      const tail = table[place] - 1
      if (hashes[tail] === hash && isSame(this.bytes[tail], name, start, end)) break
    }
    return place
  }
}

function isSame(tail: Buffer, name: Uint8Array, start: number, end: number): boolean {
  if (tail.length !== end - start) return false
  for (let i = 0; i < tail.length; i++) if (tail[i] !== name[start + i]) return false
  return true
}

/** Hash of the bytes, taken in lower case: FNV-1a, mixed once more at the end. */
export function hashOf(seed: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = seed
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ LOWER[bytes[i]], 0x0100_0193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d)
  return hash ^ (hash >>> 13)
}
