/**
 * The latest transaction of each question and id, whatever its client, as the number of its slot in the open table: what a sighting behind
 * SNAT is found by. A capture that has one vantage point only shows none, and needs no such table.
 */
import type { NameId } from '../model.ts'
import { chainOf, doubled, NOTHING } from './slots.ts'

export class LatestQuestions {
  // By slot.
  private names: Int32Array
  private ids: Int32Array
  private next: Int32Array
  private chains: Int32Array

  /** `slots`: how many the open table has, a power of two. */
  constructor(slots: number) {
    this.names = new Int32Array(slots)
    this.ids = new Int32Array(slots)
    this.next = new Int32Array(slots)
    this.chains = new Int32Array(slots)
  }

  /** The slot of the latest; 0 where there is none. */
  latest(name: NameId, id: number): number {
    const { chains, names, ids, next } = this
    let slot = chains[chainOf(name, id) & (chains.length - 1)]
    while (slot !== NOTHING && !(names[slot] === name && ids[slot] === id)) slot = next[slot]
    return slot
  }

  /** A transaction begins. */
  add(slot: number, name: NameId, id: number): void {
    const known = this.latest(name, id)
    if (known !== NOTHING) this.remove(known)
    this.names[slot] = name
    this.ids[slot] = id
    this.link(slot)
  }

  /** Its query was sent again: it is the latest once more. */
  renew(slot: number): void {
    this.add(slot, this.names[slot], this.ids[slot])
  }

  /** Nothing happens where another one has taken its place. */
  remove(slot: number): void {
    const { chains, next } = this
    const chain = chainOf(this.names[slot], this.ids[slot]) & (chains.length - 1)
    if (chains[chain] === slot) chains[chain] = next[slot]
    else {
      let before = chains[chain]
      while (before !== NOTHING && next[before] !== slot) before = next[before]
      if (before !== NOTHING) next[before] = next[slot]
    }
  }

  /** The open table has twice as many slots. */
  grow(): void {
    const { chains } = this
    this.names = doubled(this.names)
    this.ids = doubled(this.ids)
    const next = this.next
    this.next = doubled(next)
    this.chains = new Int32Array(chains.length * 2)
    // There is one of each question, so that their order does not matter.
    for (const first of chains) {
      for (let slot = first, following = 0; slot !== NOTHING; slot = following) {
        following = next[slot]
        this.link(slot)
      }
    }
  }

  private link(slot: number): void {
    const { chains } = this
    const chain = chainOf(this.names[slot], this.ids[slot]) & (chains.length - 1)
    this.next[slot] = chains[chain]
    chains[chain] = slot
  }
}
