/**
 * The LZ4 frame format, decompressing only: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md.
 * Own code, because the packages for it are native, unkept or load everything into memory, and the format is small.
 *
 *     frame  | magic 4 | flags 1 | block size 1 | content size 0 or 8 | dictionary 0 or 4 | header check 1 | blocks | 0 4 | check 0 or 4 |
 *     block  | length 4, top bit: stored | bytes | check 0 or 4 |
 *
 * Checksums are not verified: what the packets say is checked layer by layer anyway.
 */

export const LZ4_FRAME = 0x184d2204
export const LZ4_LEGACY = 0x184c2102
/** 16 magics for frames that carry something else; the low four bits are free. Zstandard shares them. */
export const SKIPPABLE = 0x184d2a50

const HISTORY = 65_536
const LEGACY_BLOCK = 8 << 20

/** Pushed to; once it has said false the rest is of no use. */
export class Lz4Decoder {
  private readonly onBytes: (bytes: Buffer) => void
  private pending: Buffer = Buffer.alloc(0)
  private window: Buffer = Buffer.alloc(0)
  private windowEnd = 0
  private state: 'magic' | 'blocks' | 'legacy' = 'magic'
  private skip = 0
  private linked = false
  private blockCheck = 0
  private contentCheck = 0
  private damaged = false

  constructor(onBytes: (bytes: Buffer) => void) {
    this.onBytes = onBytes
  }

  /** False: the bytes contradict the format. */
  push(chunk: Buffer): boolean {
    const bytes = this.pending.length > 0 ? Buffer.concat([this.pending, chunk]) : chunk
    let at = 0
    for (;;) {
      if (this.skip > 0) {
        const step = Math.min(this.skip, bytes.length - at)
        this.skip -= step
        at += step
      }
      const next = this.skip > 0 ? at : this.step(bytes, at)
      if (this.damaged) return false
      if (next === at) break
      at = next
    }
    this.pending = Buffer.from(bytes.subarray(at))
    return true
  }

  /** False when the input ended within a frame. Of a block that was cut, what is there is expanded. */
  finish(): boolean {
    const { pending } = this
    if (this.state !== 'magic' && pending.length > 4) this.block(pending, 4, pending.length, pending.readUInt32LE(0))
    return pending.length === 0 && this.skip === 0 && this.state !== 'blocks'
  }

  /** Reads one header or block at `at` and returns where the next stands, or `at` when bytes are missing. */
  private step(bytes: Buffer, at: number): number {
    if (bytes.length - at < 4) return at
    const word = bytes.readUInt32LE(at)
    if (this.state === 'magic' || (this.state === 'legacy' && isMagic(word))) return this.header(bytes, at, word)
    if (this.state === 'blocks' && word === 0) {
      this.state = 'magic'
      this.skip = this.contentCheck
      return at + 4
    }
    const length = this.state === 'blocks' ? word & 0x7fff_ffff : word
    if (length > this.window.length) return this.damage(at)
    const end = at + 4 + length
    if (end > bytes.length) return at
    if (!this.block(bytes, at + 4, end, word)) return this.damage(at)
    this.skip = this.blockCheck
    return end
  }

  /** Expands the block bytes[start, end) with the length word `word`, as far as it goes. False: it contradicts itself. */
  private block(bytes: Buffer, start: number, end: number, word: number): boolean {
    const from = this.linked ? this.keepHistory() : 0
    let whole = true
    if (this.state === 'blocks' && word >= 0x8000_0000)
      this.windowEnd = from + bytes.copy(this.window, from, start, end)
    else whole = this.expand(bytes, start, end, from)
    this.onBytes(this.window.subarray(from, this.windowEnd))
    return whole
  }

  private damage(at: number): number {
    this.damaged = true
    return at
  }

  private header(bytes: Buffer, at: number, word: number): number {
    if (word === LZ4_LEGACY) {
      this.state = 'legacy'
      this.linked = false
      this.blockCheck = 0
      this.window = Buffer.allocUnsafeSlow(LEGACY_BLOCK + HISTORY)
      return at + 4
    }
    if ((word & ~15) >>> 0 === SKIPPABLE) {
      if (bytes.length - at < 8) return at
      this.skip = bytes.readUInt32LE(at + 4)
      return at + 8
    }
    if (word !== LZ4_FRAME) return this.damage(at)
    if (bytes.length - at < 6) return at
    const flags = bytes[at + 4]
    const size = (bytes[at + 5] >> 4) & 7
    if (flags >> 6 !== 1 || size < 4) return this.damage(at)
    const length = 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0)
    if (bytes.length - at < length) return at
    this.linked = (flags & 0x20) === 0
    this.blockCheck = flags & 0x10 ? 4 : 0
    this.contentCheck = flags & 4 ? 4 : 0
    this.window = Buffer.allocUnsafeSlow(HISTORY + (1 << (8 + 2 * size)))
    this.windowEnd = 0
    this.state = 'blocks'
    return at + length
  }

  /** Moves the last 64 KiB to the front, where the next block can refer to them. */
  private keepHistory(): number {
    const start = Math.max(0, this.windowEnd - HISTORY)
    this.window.copyWithin(0, start, this.windowEnd)
    return this.windowEnd - start
  }

  /** Expands source[start, end) into the window at `from`; what stands before may be referred to. Sets windowEnd. */
  private expand(source: Buffer, start: number, end: number, from: number): boolean {
    const target = this.window
    let at = start
    let to = from
    while (at < end) {
      this.windowEnd = to
      const token = source[at++]
      let literals = token >> 4
      if (literals === 15) {
        let more = 255
        while (more === 255 && at < end) {
          more = source[at++]
          literals += more
        }
      }
      if (at + literals > end || to + literals > target.length) return false
      to += source.copy(target, to, at, at + literals)
      at += literals
      this.windowEnd = to
      if (at === end) return true
      if (at + 2 > end) return false
      const distance = source[at] | (source[at + 1] << 8)
      at += 2
      let length = (token & 15) + 4
      if (length === 19) {
        let more = 255
        while (more === 255 && at < end) {
          more = source[at++]
          length += more
        }
      }
      if (distance === 0 || distance > to || to + length > target.length) return false
      // Byte by byte: a match may overlap what it writes.
      for (let i = 0; i < length; i++, to++) target[to] = target[to - distance]
    }
    this.windowEnd = to
    return true
  }
}

const isMagic = (word: number) => word === LZ4_FRAME || word === LZ4_LEGACY || (word & ~15) >>> 0 === SKIPPABLE
