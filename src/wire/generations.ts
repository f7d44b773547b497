/**
 * A Map that forgets: what has not been asked for during a whole generation is dropped. A generation ends after some seconds of the
 * capture's clock, or when it is full, so memory depends on what is open now. Dropping costs nothing per entry that stays.
 */

export class Generations<T> {
  private young = new Map<number, T>()
  private old = new Map<number, T>()
  private since = Number.NEGATIVE_INFINITY
  private readonly seconds: number
  private readonly limit: number
  private readonly onDrop: (entry: T, full: boolean) => void

  /** `onDrop` gets every entry that is dropped; `full`: for want of room, not of age. */
  constructor(seconds: number, limit: number, onDrop: (entry: T, full: boolean) => void) {
    this.seconds = seconds
    this.limit = limit
    this.onDrop = onDrop
  }

  /** The entry, which stays for another generation when `touch` is true. */
  get(key: number, touch: boolean): T | undefined {
    const young = this.young.get(key)
    if (young !== undefined) return young
    if (this.old.size === 0) return undefined
    const old = this.old.get(key)
    if (old !== undefined && touch) {
      this.old.delete(key)
      this.young.set(key, old)
    }
    return old
  }

  set(key: number, entry: T): void {
    if (this.young.size >= this.limit) this.turn(true)
    this.old.delete(key)
    this.young.set(key, entry)
  }

  /** Tells the capture's clock; old generations go. */
  tick(now: number): void {
    const age = now - this.since
    if (age >= 0 && age < this.seconds) return
    this.since = now
    // A clock that steps back starts a new generation and drops nothing.
    if (age < 0) return
    this.turn(false)
    if (age >= 2 * this.seconds) this.turn(false)
  }

  /** Drops the old generation; the young one becomes old. */
  turn(full: boolean): void {
    const dropped = this.old
    this.old = this.young
    this.young = new Map()
    for (const entry of dropped.values()) this.onDrop(entry, full)
  }

  get size(): number {
    return this.young.size + this.old.size
  }
}
