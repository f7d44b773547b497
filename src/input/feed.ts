/**
 * Brings chunks of any size to a parser. Records are parsed where they lie; only a record that reaches over the end of a chunk is
 * carried: its beginning is kept, and of the next chunk as much is added as it takes to finish it. The size of chunks never shows.
 */
import type { CaptureParser } from './parser.ts'

const EMPTY = Buffer.alloc(0)

/** How much of a chunk is added to a carried record at once. */
const STEP = 4096

export class Feed {
  private readonly parser: CaptureParser
  private chunk: Buffer = EMPTY
  private chunkAt = 0
  private carry: Buffer = Buffer.allocUnsafeSlow(2 * STEP)
  private carryAt = 0
  private carryEnd = 0
  /** How many bytes at the end of the carry were copied from the present chunk. */
  private borrowed = 0
  private last = false

  constructor(parser: CaptureParser) {
    this.parser = parser
  }

  /** The next chunk. The one before must have been run to its end. */
  give(chunk: Buffer): void {
    this.chunk = chunk
    this.chunkAt = 0
    this.borrowed = 0
  }

  /** Nothing will follow. */
  end(): void {
    this.give(EMPTY)
    this.last = true
  }

  /** Parses what is there. True: the frame handler wanted a pause, call again; false: the chunk is used up and may be overwritten. */
  run(paused: () => boolean): boolean {
    for (;;) {
      if (this.carryEnd === 0) {
        this.chunkAt = this.parser.parse(this.chunk, this.chunkAt, this.chunk.length, this.last)
        if (paused()) return true
        this.keepRest()
        return false
      }
      const whole = this.chunkAt === this.chunk.length
      this.carryAt = this.parser.parse(this.carry, this.carryAt, this.carryEnd, this.last && whole)
      if (this.carryAt >= this.carryEnd - this.borrowed) {
        // The carried record is done: the rest is parsed where it lies.
        this.chunkAt -= this.carryEnd - this.carryAt
        this.carryAt = this.carryEnd = this.borrowed = 0
        if (paused()) return true
        continue
      }
      if (paused()) return true
      if (whole) return false
      this.extendCarry()
    }
  }

  private keepRest(): void {
    const rest = this.chunk.length - this.chunkAt
    if (rest > this.carry.length) this.carry = Buffer.allocUnsafeSlow(2 * rest)
    this.chunk.copy(this.carry, 0, this.chunkAt)
    this.carryAt = 0
    this.carryEnd = rest
    this.chunkAt = this.chunk.length
  }

  private extendCarry(): void {
    const kept = this.carryEnd - this.carryAt
    const more = Math.min(Math.max(STEP, kept), this.chunk.length - this.chunkAt)
    const old = this.carry
    if (kept + more > old.length) this.carry = Buffer.allocUnsafeSlow(2 * (kept + more))
    if (this.carryAt > 0 || this.carry !== old) old.copy(this.carry, 0, this.carryAt, this.carryEnd)
    this.chunk.copy(this.carry, kept, this.chunkAt, this.chunkAt + more)
    this.carryAt = 0
    this.carryEnd = kept + more
    this.chunkAt += more
    this.borrowed += more
  }
}
