/**
 * A clock that was set in the middle of a capture: no line fits what it shares with another then, but two do, one before and one after.
 * Which of the two clocks was set the captures tell themselves: one that is set back repeats times that it had before.
 */
import type { Time } from '../model.ts'
import { type Bounds, type ClockFit, fitClock } from './clock-fit.ts'

/** From this frame on the clock is ahead of what it would have been by so much. */
export interface ClockStep {
  frame: number
  by: Time
  /** What it read before. */
  at: Time
}

/** What two captures share, and in which frames each saw the query. */
export interface Shared extends Bounds {
  frames: readonly [first: number, second: number]
}

/** Between two shared transactions the second clock gained so much on the first. */
export interface Jump {
  by: Time
  before: Shared
  after: Shared
}

/** A line through fewer tells nothing. */
const LEAST_SHARED = 3
/** Less may be the network. */
const LEAST_STEP: Time = 1e6
/** Halves of halves: a clock that is set more often runs unevenly. */
const DEEPEST = 4
const ROUNDS = 8
/** So much of what a transaction contradicts a line counts: one odd packet decides nothing. */
const MOST_MISS: Time = 1e9
/** Below this a transaction contradicts no line. */
const TOLERANCE: Time = 100e3

/** Where one clock jumped against the other; none where a line fits all, or where lines between jumps do not. */
export function jumpsOf(bounds: readonly Shared[]): Jump[] {
  const ordered = [...bounds].sort((a, b) => a.frames[0] - b.frames[0])
  const cuts = split(ordered, 0, ordered.length, DEEPEST)
  if (cuts === null) return []
  const jumps: Jump[] = []
  for (const [i, cut] of cuts.entries()) {
    const left = fitOf(ordered.slice(cuts[i - 1] ?? 0, cut))
    const right = fitOf(ordered.slice(cut, cuts[i + 1] ?? ordered.length))
    const by = aheadAt(right, ordered[cut].time) - aheadAt(left, ordered[cut - 1].time)
    // Lines that meet: the clock was not set, it ran unevenly.
    if (Math.abs(by) < LEAST_STEP) return []
    jumps.push({ by, ...edges(ordered, cut, left, right) })
  }
  return jumps
}

/** The first transactions behind steps; null where no few lines fit. */
function split(bounds: readonly Shared[], from: number, to: number, depth: number): number[] | null {
  const piece = bounds.slice(from, to)
  const whole = fitClock([...piece])
  if (whole === null || !whole.uneven) return []
  if (depth === 0 || piece.length < 2 * LEAST_SHARED) return null
  let cut = largestChange(piece)
  for (let round = 0; round < ROUNDS; round++) {
    const next = bestCut(piece, fitOf(piece.slice(0, cut)), fitOf(piece.slice(cut)))
    if (next === cut) break
    cut = next
  }
  const before = split(bounds, from, from + cut, depth - 1)
  const after = split(bounds, from + cut, to, depth - 1)
  return before && after && [...before, from + cut, ...after]
}

/** Whoever calls it gives enough. */
const fitOf = (bounds: Shared[]): ClockFit => fitClock(bounds) as ClockFit

const aheadAt = ({ at, offset, drift }: ClockFit, time: Time): Time => offset + (drift ?? 0) * (time - at)

/** By how much a transaction contradicts a line. */
function missOf(bound: Shared, fit: ClockFit): Time {
  const expected = aheadAt(fit, bound.time)
  return Math.min(MOST_MISS, Math.max(bound.low - expected, expected - bound.high, 0))
}

/** Where two levels fit best that do not depend on time: a first guess. */
function largestChange(bounds: readonly Shared[]): number {
  const middles = bounds.map(({ low, high }) => (low + high) / 2)
  const sum = middles.reduce((n, middle) => n + middle, 0)
  let best = LEAST_SHARED
  let most = -1
  let left = 0
  for (let cut = 1; cut <= bounds.length - LEAST_SHARED; cut++) {
    left += middles[cut - 1]
    if (cut < LEAST_SHARED) continue
    const apart = left / cut - (sum - left) / (bounds.length - cut)
    const between = cut * (bounds.length - cut) * apart * apart
    if (between <= most) continue
    most = between
    best = cut
  }
  return best
}

/** Where transactions contradict the line on their side the least. */
function bestCut(bounds: readonly Shared[], left: ClockFit, right: ClockFit): number {
  let cost = bounds.reduce((sum, bound) => sum + missOf(bound, right), 0)
  let best = LEAST_SHARED
  let least = Number.POSITIVE_INFINITY
  for (let cut = 1; cut <= bounds.length - LEAST_SHARED; cut++) {
    cost += missOf(bounds[cut - 1], left) - missOf(bounds[cut - 1], right)
    if (cut < LEAST_SHARED || cost >= least) continue
    least = cost
    best = cut
  }
  return best
}

/** The last transaction that was surely before, and the first that was surely after: slow ones fit both lines. */
function edges(
  bounds: readonly Shared[],
  cut: number,
  left: ClockFit,
  right: ClockFit,
): Pick<Jump, 'before' | 'after'> {
  let last = cut - 1
  while (last > 0 && missOf(bounds[last], right) <= TOLERANCE) last--
  let first = cut
  while (first < bounds.length - 1 && missOf(bounds[first], left) <= TOLERANCE) first++
  return { before: bounds[last], after: bounds[first] }
}

/** Where the time of one capture's messages leaps from one to the next, either way. */
export class Leaps {
  private readonly frames: number[] = []
  private readonly by: Time[] = []
  private readonly at: Time[] = []
  private before = Number.NaN

  /** Takes the next message. */
  add(frame: number, time: Time): void {
    const gap = time - this.before
    if ((gap < -LEAST_STEP || gap > LEAST_GAP) && this.frames.length < MOST_LEAPS) {
      this.frames.push(frame)
      this.by.push(gap)
      this.at.push(this.before)
    }
    this.before = time
  }

  /** The frame with which a step of this size came, between two others; null where no leap can have been it. */
  find(by: Time, after: number, upTo: number): { frame: number; at: Time } | null {
    let best: { frame: number; at: Time } | null = null
    let nearest = Number.POSITIVE_INFINITY
    this.frames.forEach((frame, i) => {
      // What passed meanwhile comes on top.
      const meanwhile = this.by[i] - by
      if (frame <= after || frame > upTo || meanwhile < -LEAST_STEP || meanwhile >= nearest) return
      if (by < 0 && this.by[i] >= 0) return
      nearest = meanwhile
      best = { frame, at: this.at[i] }
    })
    return best
  }
}

/** A pause of a busy capture. */
const LEAST_GAP: Time = 10e6
/** More leaps make a capture with so few messages between them that it does not matter which of them it was. */
const MOST_LEAPS = 20_000

/** Which of two clocks was set: the index of its capture in the pair, and its step. */
export function stepOf(jump: Jump, leaps: readonly [Leaps, Leaps]): { which: 0 | 1; step: ClockStep } {
  const { before, after } = jump
  const stepAt = (which: 0 | 1, by: Time): ClockStep | null => {
    const found = leaps[which].find(by, before.frames[which], after.frames[which])
    return found && { ...found, by }
  }
  // The one that was set back had its times twice; else the other one was set forward.
  const back: 0 | 1 = jump.by < 0 ? 1 : 0
  const forward = back === 0 ? 1 : 0
  const size = Math.abs(jump.by)
  const setBack = stepAt(back, -size)
  if (setBack) return { which: back, step: setBack }
  const step = stepAt(forward, size) ?? {
    frame: after.frames[forward],
    by: size,
    at: before.time + (forward === 1 ? (before.low + before.high) / 2 : 0),
  }
  return { which: forward, step }
}
