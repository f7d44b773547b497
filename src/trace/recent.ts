/**
 * Sums over spans of a capture, for who follows it. `Recent` has the last minute, by when lookups were closed: what a screen shows.
 * `Intervals` has spans of equal length, by when lookups began: each is complete before it is told, and together they are the whole.
 */
import type { Time } from '../model.ts'
import { type Hop, isCounted } from './hop.ts'
import type { Lookup } from './lookup.ts'
import { type Inward, Sums } from './sums.ts'
import type { LookupWasteSums } from './waste.ts'

/** Clients, names and search domains that are told apart within one span. */
const MOST_KEYS = 2000

const SLOTS = 6
const SLOT: Time = 10e9

const spanSums = (): Sums => new Sums(MOST_KEYS, 0)

function addHop(sums: Sums, hop: Hop): void {
  if (isCounted(hop)) sums.addHop(hop)
}

export class Recent {
  private slots: { number: number; sums: Sums }[] = []

  addLookup(now: Time, lookup: Lookup, waste: LookupWasteSums, inward: Inward): void {
    this.slot(now).addLookup(lookup, waste, inward)
  }

  addHop(now: Time, hop: Hop): void {
    addHop(this.slot(now), hop)
  }

  /** The sums of the last minute, and when it began. */
  sums(now: Time): { sums: Sums; begun: Time } {
    this.forget(now)
    const sums = spanSums()
    for (const slot of this.slots) sums.join(slot.sums)
    return { sums, begun: Math.max(0, (Math.floor(now / SLOT) - SLOTS + 1) * SLOT) }
  }

  private slot(now: Time): Sums {
    const number = Math.floor(now / SLOT)
    const last = this.slots.at(-1)
    if (last?.number === number) return last.sums
    const sums = spanSums()
    this.slots.push({ number, sums })
    this.forget(now)
    return sums
  }

  private forget(now: Time): void {
    const oldest = Math.floor(now / SLOT) - SLOTS + 1
    while (this.slots.length > 0 && this.slots[0].number < oldest) this.slots.shift()
  }
}

/** Spans that are open at once: a lookup is decided upon within seconds, but spans may be short. */
const MOST_OPEN = 1000
/** A silence of more spans than this is told as one. */
const LONG_SILENCE = 6

export class Intervals {
  private readonly length: Time
  private readonly told: (sums: Sums, start: Time, end: Time) => void
  private readonly open = new Map<number, Sums>()
  /** The first span that is not told yet; null before anything began. */
  private next: number | null = null

  constructor(length: Time, told: (sums: Sums, start: Time, end: Time) => void) {
    this.length = length
    this.told = told
  }

  addLookup(lookup: Lookup, waste: LookupWasteSums, inward: Inward): void {
    this.span(lookup.start).addLookup(lookup, waste, inward)
  }

  addHop(hop: Hop): void {
    if (isCounted(hop)) addHop(this.span((hop.lookup ?? hop.transaction).start), hop)
  }

  /** Nothing that began before `before` will come any more. */
  settled(before: Time): void {
    if (this.next === null) return
    const complete = Math.floor(before / this.length)
    this.tell(Number.isFinite(complete) ? complete : Math.max(...this.open.keys(), this.next - 1) + 1)
  }

  private tell(until: number): void {
    let next = this.next as number
    while (next < until) {
      const sums = this.open.get(next)
      let end = next + 1
      if (sums === undefined) {
        const later = Math.min(until, ...this.open.keys())
        if (later - next > LONG_SILENCE) end = later
      }
      this.open.delete(next)
      this.told(sums ?? spanSums(), next * this.length, end * this.length)
      next = end
    }
    this.next = next
  }

  private span(start: Time): Sums {
    const number = Math.floor(start / this.length)
    this.next ??= number
    // What comes too late for its own span counts in the oldest that is open.
    const own = Math.max(number, this.next)
    let sums = this.open.get(own)
    if (sums === undefined) {
      if (this.open.size >= MOST_OPEN) this.tell(this.next + 1)
      sums = spanSums()
      this.open.set(own, sums)
    }
    return sums
  }
}
