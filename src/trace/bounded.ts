/**
 * What the tables of sums by key have in common: a bound, and what is done when it is reached. The half of the keys that weigh least is
 * forgotten, so that the frequent ones stay whatever comes first: a flood of names that are asked for once each blinds nothing. This is
 * lossy counting (Manku and Motwani, "Approximate Frequency Counts over Data Streams", 2002; Misra and Gries, "Finding Repeated
 * Elements", 1982, began it), with rounds that end when the table is full instead of after so many items.
 *
 * A key's true weight is never less than the weight that is told, and at most `error` more: it can have been forgotten once a round, and
 * then weighed no more than the heaviest that was forgotten with it. What was begun before anything was forgotten is exact (`lackAt`).
 * Below the bound nothing is forgotten, and all is exact.
 */

/** Rows of a table for which nothing else is said. */
export const MOST_KEYS = 10_000

const FIRST_ROOM = 16

/** There are tables for each of many clients, and most stay empty. */
const NO_ROOM = new Float32Array(0)

export abstract class Bounded {
  /** Keys, and the places that they have: 0 to size - 1, in the order in which they were begun. */
  size = 0
  /** How many times a key was forgotten. */
  forgotten = 0
  /** What a key may weigh beyond what is told, at most. */
  error = 0
  /** Called before keys are forgotten. */
  whenFull: (() => void) | null = null
  protected readonly most: number
  /** By place. They stop to grow at 16 million, and what weighs so much is not forgotten. */
  protected weights: Float32Array = NO_ROOM
  /** By place: the error when its key was begun; null as long as nothing was forgotten. */
  private lacks: Float32Array | null = null

  constructor(most: number) {
    this.most = most
  }

  /** What was forgotten of sums that are joined to these is missing here, too. */
  protected joinLacks(more: Bounded): void {
    if (more.forgotten === 0) return
    this.forgotten += more.forgotten
    this.error += more.error
    this.lacks ??= new Float32Array(this.weights.length)
    for (let place = 0; place < this.size; place++) this.lacks[place] += more.error
  }

  /** A place for a new key, behind all others; there may be another key at each of those afterwards. */
  protected begin(): number {
    if (this.size >= this.most) this.forgetHalf()
    if (this.size === this.weights.length) {
      this.weights = doubled(this.weights)
      if (this.lacks) this.lacks = doubled(this.lacks)
    }
    const place = this.size++
    this.weights[place] = 0
    if (this.lacks) this.lacks[place] = this.error
    return place
  }

  /** What the key at a place may have weighed before it was begun, at most. */
  protected lackAt(place: number): number {
    return this.lacks?.[place] ?? 0
  }

  /** A key, with its sum, leaves. */
  protected abstract drop(place: number): void

  /** A key, with its sum, goes to a place that is free by now. */
  protected abstract move(from: number, to: number): void

  /**
   * Rows of equal weight go and stay in turn, as many as have to go: the older ones alone may be what a flood has left, and
   * the newer ones alone would all be gone before they come again, where more keys come in turn than there is room for.
   */
  private forgetHalf(): void {
    this.whenFull?.()
    const { size, weights } = this
    const going = Math.ceil(size / 2)
    const sorted = weights.slice(0, size).sort()
    const heaviest = sorted[going - 1]
    const equal = sorted.lastIndexOf(heaviest) + 1 - sorted.indexOf(heaviest)
    const staying = sorted.lastIndexOf(heaviest) + 1 - going
    let share = 0
    this.lacks ??= new Float32Array(weights.length)
    let to = 0
    for (let from = 0; from < size; from++) {
      const weight = weights[from]
      if (weight === heaviest) share += staying
      if (weight < heaviest || (weight === heaviest && share < equal)) {
        this.drop(from)
        continue
      }
      if (weight === heaviest) share -= equal
      if (to < from) {
        weights[to] = weight
        this.lacks[to] = this.lacks[from]
        this.move(from, to)
      }
      to++
    }
    this.size = to
    this.forgotten += going
    this.error += heaviest
  }
}

function doubled(room: Float32Array): Float32Array {
  const larger = new Float32Array(Math.max(FIRST_ROOM, room.length * 2))
  larger.set(room)
  return larger
}
