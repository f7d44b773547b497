/**
 * How far a client is from where it was captured: a stub resolver goes on at once, so what lies between an answer that is seen there and the
 * next query is the way to the client and back. At a server in another region that is longer than the pause between two lookups elsewhere.
 */
import type { Time } from '../model.ts'

/** The next candidate of a client far away, or on a slow link, comes within this. */
export const LONGEST_LAG: Time = 1.5e9
/** A client beside the capture goes on within this, nearly always. */
const NEAR: Time = 20e6
/** The latest steps that count, and how many tell. */
const MOST_STEPS = 16
const ENOUGH_STEPS = 6

export class Pace {
  /** Ways may vary (jitter), so steps may be late by this: twice what half of them are; 0 beside the capture. */
  lag: Time = 0
  private readonly gaps: Time[] = []
  /** How many of these are near ones. */
  private near = 0

  /** A candidate that followed a denied one so long after. */
  note(gap: Time): void {
    const { gaps } = this
    if (gaps.length === MOST_STEPS && (gaps.shift() as Time) <= NEAR) this.near--
    gaps.push(gap)
    if (gap <= NEAR) this.near++
    if (gaps.length < ENOUGH_STEPS) return
    const middle = gaps.length >> 1
    // Nearly all clients are beside the capture, and then nothing has to be sorted.
    this.lag = this.near > middle ? 0 : Math.min(2 * [...gaps].sort((a, b) => a - b)[middle], LONGEST_LAG)
  }
}
