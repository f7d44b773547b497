/**
 * How far one clock is ahead of another, from transactions that both saw. The query takes its time from one to the other, the response
 * its time back, so each transaction says between which two values the difference lies, whichever of the two is nearer to the client:
 * one difference is the offset plus a delay, the other the offset less a delay. The quickest of a stretch of time narrow it down
 * (V. Paxson, On Calibrating Measurements of Packet Transit Times, 1998), and a line through all stretches is offset and drift.
 */
import type { Time } from '../model.ts'

/** What one transaction says at `time`: the other clock is ahead by at least `low` and at most `high`. */
export interface Bounds {
  time: Time
  low: Time
  high: Time
}

/** The other clock is ahead by offset + drift * (time - at), all in nanoseconds. */
export interface ClockFit {
  at: Time
  offset: Time
  /** Half of what the quickest way there and back leaves open: the network may be slower in one direction. */
  uncertainty: Time
  /** Null where the transactions lie too close together to tell. */
  drift: number | null
  driftUncertainty: number | null
  /** No clock that runs evenly fits: one of the two was set, or runs unevenly. */
  uneven: boolean
  /** True where the two cannot be one clock: some response would come before its query left. */
  apart: boolean
}

const MIN_TRANSACTIONS = 3
/** Transactions in a stretch: enough that one among them was quick. */
const STRETCH = 25
const MAX_STRETCHES = 48
const ROUNDS = 4
/** Time stamps are rounded to microseconds, and one host's interfaces stamp in turn. */
const STAMPING: Time = 50e3
/** A line that misses a stretch's bounds by more fits no clock that runs evenly. */
const UNEVEN: Time = 500e3
/** What a stretch can tell at best. */
const RESOLUTION: Time = 2e3
/** Quartz is better than this; more is somebody setting the clock. */
const MAX_DRIFT = 1e-3
/** A drift that is known no better is not known. */
const MAX_DRIFT_UNCERTAINTY = 50e-6

/** A stretch's bounds around the line as it stands. */
interface Stretch {
  time: Time
  low: Time
  high: Time
}

/** Null where there is too little to go by. `bounds` in any order; sorted here. */
export function fitClock(bounds: Bounds[]): ClockFit | null {
  if (bounds.length < MIN_TRANSACTIONS) return null
  bounds.sort((a, b) => a.time - b.time)
  const at = (bounds[0].time + bounds[bounds.length - 1].time) / 2
  const mids = bounds.map(({ low, high }) => (low + high) / 2).sort((a, b) => a - b)
  let offset = mids[mids.length >> 1]
  let slope = 0
  let stretches: Stretch[] = []
  for (let round = 0; round < ROUNDS; round++) {
    stretches = stretchesOf(bounds, time => offset + slope * (time - at))
    const more = lineThrough(stretches, at)
    offset += more.offset
    slope += more.slope
  }
  stretches = stretchesOf(bounds, time => offset + slope * (time - at))
  const { spread, scatter } = scatterOf(stretches, at)
  const widths = stretches.map(({ low, high }) => Math.abs(high - low) / 2)
  const uncertainty = Math.max(Math.min(...widths) + scatter, RESOLUTION)
  // What the bounds alone allow, and, where there are enough stretches, what their scatter makes likely.
  const hard = stretches.length < 2 ? Number.POSITIVE_INFINITY : (2 * median(widths)) / spanOf(stretches)
  const likely =
    stretches.length < 4 ? Number.POSITIVE_INFINITY : (3 * Math.max(scatter, RESOLUTION)) / Math.sqrt(spread)
  const driftUncertainty = Math.min(hard, likely)
  const isDriftKnown = driftUncertainty <= MAX_DRIFT_UNCERTAINTY && Math.abs(slope) <= MAX_DRIFT
  if (!isDriftKnown) {
    offset = offsetOf(bounds)
    slope = 0
  }
  const rest = stretchesOf(bounds, time => offset + slope * (time - at))
  const apart = stretchesOf(bounds, () => 0).some(({ low, high }) => low > STAMPING || high < -STAMPING)
  return {
    at,
    offset,
    uncertainty,
    drift: isDriftKnown ? slope : null,
    driftUncertainty: isDriftKnown ? driftUncertainty : null,
    uneven: rest.some(({ low, high }) => low > UNEVEN || high < -UNEVEN),
    apart,
  }
}

/** Equal numbers of transactions each; their bounds less the line at their time. */
function stretchesOf(bounds: Bounds[], line: (time: Time) => number): Stretch[] {
  const count = Math.max(1, Math.min(MAX_STRETCHES, Math.floor(bounds.length / STRETCH)))
  const stretches: Stretch[] = []
  for (let n = 0; n < count; n++) {
    const from = Math.floor((n * bounds.length) / count)
    const to = Math.floor(((n + 1) * bounds.length) / count)
    let low = Number.NEGATIVE_INFINITY
    let high = Number.POSITIVE_INFINITY
    let lowAt = 0
    let highAt = 0
    for (let i = from; i < to; i++) {
      const { time, ...b } = bounds[i]
      const expected = line(time)
      if (b.low - expected > low) {
        low = b.low - expected
        lowAt = time
      }
      if (b.high - expected < high) {
        high = b.high - expected
        highAt = time
      }
    }
    stretches.push({ time: (lowAt + highAt) / 2, low, high })
  }
  return stretches
}

/** Least squares through the middles; narrow stretches weigh more. */
function lineThrough(stretches: Stretch[], at: Time): { offset: number; slope: number } {
  let weights = 0
  let sumT = 0
  let sumY = 0
  for (const s of stretches) {
    const w = weightOf(s)
    weights += w
    sumT += w * (s.time - at)
    sumY += w * middle(s)
  }
  const meanT = sumT / weights
  const meanY = sumY / weights
  let tt = 0
  let ty = 0
  for (const s of stretches) {
    const w = weightOf(s)
    tt += w * (s.time - at - meanT) ** 2
    ty += w * (s.time - at - meanT) * (middle(s) - meanY)
  }
  const slope = tt > 0 ? ty / tt : 0
  return { offset: meanY - slope * meanT, slope }
}

const middle = ({ low, high }: Stretch): number => (low + high) / 2

const weightOf = ({ low, high }: Stretch): number => 1 / (Math.abs(high - low) / 2 + STAMPING) ** 2

/** The sum of squared distances in time, and how far the middles lie from the line. */
function scatterOf(stretches: Stretch[], at: Time): { spread: number; scatter: number } {
  const mean = stretches.reduce((sum, { time }) => sum + time - at, 0) / stretches.length
  const spread = stretches.reduce((sum, { time }) => sum + (time - at - mean) ** 2, 0)
  const squares = stretches.reduce((sum, s) => sum + middle(s) ** 2, 0)
  return { spread, scatter: Math.sqrt(squares / Math.max(1, stretches.length - 2)) }
}

const spanOf = (stretches: Stretch[]): number => stretches[stretches.length - 1].time - stretches[0].time

/** Without drift: the middle of what all transactions together leave open. */
function offsetOf(bounds: Bounds[]): number {
  let low = Number.NEGATIVE_INFINITY
  let high = Number.POSITIVE_INFINITY
  for (const b of bounds) {
    if (b.low > low) low = b.low
    if (b.high < high) high = b.high
  }
  return (low + high) / 2
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]
