/**
 * A live capture's clock: while nothing comes, time passes all the same, and what is over has to be told. The only look at a wall clock
 * behind the reading of pipes; what stands in a file never depends on it.
 */
import type { Time } from './model.ts'
import type { Trace } from './trace/trace.ts'

/** Younger than this, what comes from standard input is captured while it is read. */
const LIVE_SECONDS = 60
const TICK_MS = 500
/**
 * A recording that is fed slowly has a clock of its own: when its feeder rests, no more than this passes. It is enough for what was
 * answered, and too little to give up on what was not.
 */
const LONGEST_REST: Time = 3e9

/** Tells a live pipe from a file that is piped. */
export const isNow = (seconds: number): boolean => Math.abs(Date.now() / 1000 - seconds) < LIVE_SECONDS

export class LiveClock {
  private readonly trace: Trace
  private readonly isLive: () => boolean
  private timer: NodeJS.Timeout | null = null
  /** The capture's time when something came last, and when that was. */
  private reached: Time = 0
  private since = 0
  private passed: Time = Number.NaN

  /** `isLive`: the capture's clock and the wall's are one. */
  constructor(trace: Trace, isLive: () => boolean) {
    this.trace = trace
    this.isLive = isLive
  }

  start(): void {
    this.timer ??= setInterval(() => this.tick(), TICK_MS)
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
  }

  private tick(): void {
    const { matching } = this.trace
    if (matching.origin === null) return
    if (matching.now !== this.passed) {
      this.reached = this.passed = matching.now
      this.since = performance.now()
      return
    }
    const rest = (performance.now() - this.since) * 1e6
    this.trace.pass(this.reached + (this.isLive() ? rest : Math.min(rest, LONGEST_REST)))
    this.passed = matching.now
  }
}
