/** Holds back what is closed until everything that began before it is closed too, and hands it on in order of start. */
import type { Time } from '../model.ts'

export class InOrder<Item> {
  private held: Item[] = []
  private readonly startOf: (item: Item) => Time
  private readonly sink: (item: Item) => void

  constructor(startOf: (item: Item) => Time, sink: (item: Item) => void) {
    this.startOf = startOf
    this.sink = sink
  }

  add(item: Item): void {
    this.held.push(item)
  }

  /** Nothing that began before `before` will be added any more. */
  release(before: Time): void {
    const ready = this.held.filter(item => this.startOf(item) < before)
    if (ready.length === 0) return
    this.held = this.held.filter(item => this.startOf(item) >= before)
    ready.sort((a, b) => this.startOf(a) - this.startOf(b))
    for (const item of ready) this.sink(item)
  }
}
