/**
 * Puts records back in the order of their times. A relay merges the nodes' flows as well as it can: it waits a second for the slow
 * ones, and what comes later comes out of order. https://github.com/cilium/cilium (pkg/hubble/relay/defaults)
 */
import type { Moment } from './hubble-json.ts'

/** Records are held back until the log's time is this much further: more than a relay's own second. */
const HELD_BACK = 3
/** A log that jumps back by more than this is another log behind the first (cat), or a clock that was set. */
const ANOTHER_LOG = 60
/** A flood within the time above does not fill the memory. */
const MOST_RECORDS = 65_536

export class OrderWindow<Item extends Moment> {
  private items: Item[] = []
  private head = 0
  private latest = Number.NEGATIVE_INFINITY
  private released: Moment = { seconds: Number.NEGATIVE_INFINITY, nanos: 0 }
  private readonly release: (item: Item) => void
  /** A table, as it was printed: all of it is held back, and how often its time went on and back is counted. */
  private table: { forward: number; back: number } | null = null

  /** `release` gets the records in the order of their times. */
  constructor(release: (item: Item) => void) {
    this.release = release
  }

  /** False: the record came too late for its place. It is released all the same. */
  add(item: Item): boolean {
    if (this.table !== null) return this.addToTable(this.table, item)
    if (item.seconds < this.latest - ANOTHER_LOG) {
      this.flush()
      this.latest = item.seconds
      this.insert(item)
      return false
    }
    const inOrder = !isBefore(item, this.released)
    this.insert(item)
    this.pass(item.seconds)
    return inOrder
  }

  /** The log's time has come to `seconds`: what was held back long enough is released. */
  pass(seconds: number): void {
    if (seconds > this.latest) this.latest = seconds
    while (this.head < this.items.length) {
      if (this.items[this.head].seconds > this.latest - HELD_BACK && this.items.length - this.head <= MOST_RECORDS)
        break
      this.shift()
    }
  }

  /** Nothing more is waited for: all that is held back is released, and what comes later is late. */
  releaseAll(): void {
    if (this.table !== null) this.sortTable(this.table)
    while (this.head < this.items.length) this.shift()
  }

  flush(): void {
    this.releaseAll()
    this.released = { seconds: Number.NEGATIVE_INFINITY, nanos: 0 }
    this.latest = Number.NEGATIVE_INFINITY
  }

  /** What comes is a table, which nobody prints of a stream; the oldest versions print the newest first. */
  holdTable(): void {
    this.table ??= { forward: 0, back: 0 }
  }

  private addToTable(steps: { forward: number; back: number }, item: Item): boolean {
    const { items } = this
    const last = items.length > this.head ? items[items.length - 1] : item
    if (isBefore(item, last)) steps.back++
    else if (isBefore(last, item)) steps.forward++
    items.push(item)
    if (items.length - this.head > MOST_RECORDS) this.releaseAll()
    return true
  }

  /** Stable, so that what has one time keeps the order of the events: in a table that goes back, the other one. */
  private sortTable({ forward, back }: { forward: number; back: number }): void {
    const rows = this.items.slice(this.head)
    if (back > forward) rows.reverse()
    this.items = rows.sort((a, b) => a.seconds - b.seconds || a.nanos - b.nanos)
    this.head = 0
  }

  /** From the end, since most records come in order. Of equals the first that came stays first. */
  private insert(item: Item): void {
    const { items } = this
    items.push(item)
    let at = items.length - 1
    while (at > this.head && isBefore(item, items[at - 1])) {
      items[at] = items[at - 1]
      at--
    }
    items[at] = item
  }

  private shift(): void {
    const item = this.items[this.head++]
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    if (!isBefore(item, this.released)) this.released = item
    this.release(item)
  }

  /** Whether a record of the very same time is held back that is the same. */
  holds(item: Item, isSame: (a: Item, b: Item) => boolean): boolean {
    for (let i = this.items.length - 1; i >= this.head && !isBefore(this.items[i], item); i--)
      if (isSame(this.items[i], item)) return true
    return false
  }
}

const isBefore = (a: Moment, b: Moment): boolean =>
  a.seconds < b.seconds || (a.seconds === b.seconds && a.nanos < b.nanos)
