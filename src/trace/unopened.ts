/**
 * TCP connections to DNS servers that were never opened: a SYN that nobody answered, or that a reset answered. No query was ever sent
 * on them, so no transaction shows them.
 */

import { type AddressId, type Messages, NONE, type Time } from '../model.ts'
import { pairOf } from './pair.ts'
import { Tally } from './tally.ts'

export interface UnopenedSum {
  client: AddressId
  server: AddressId
  /** Connections by what came of their SYN. */
  silent: number
  refused: number
  first: Time
  /** File, frame, file, frame ... of the first few. */
  frames: number[]
}

/** Clients and servers that are remembered. */
const MOST = 4_096
const MOST_FRAMES = 10
/** Copies of one packet at several interfaces and in several captures lie closer than this. */
const COPIES: Time = 1e9
/** Connections among which copies are looked for. */
const RECENT = 32

export class Unopened {
  /** By client and server. */
  readonly sums = new Tally<number, UnopenedSum>(
    () => ({ client: NONE, server: NONE, silent: 0, refused: 0, first: Number.NaN, frames: [] }),
    MOST,
  )
  private readonly recentPort = new Int32Array(RECENT)
  private readonly recentClient = new Int32Array(RECENT)
  private readonly recentTime = new Float64Array(RECENT).fill(Number.NEGATIVE_INFINITY)
  private next = 0

  get list(): readonly UnopenedSum[] {
    return this.sums.values()
  }

  /** Row i is a SYN that was sent again. */
  addSilent(m: Messages, i: number, time: Time): void {
    const sum = this.of(m.from[i], m.fromPort[i], m.to[i], time)
    if (!sum) return
    sum.silent++
    if (sum.frames.length < 2 * MOST_FRAMES) sum.frames.push(m.file[i], m.frame[i])
  }

  /** Row i is the reset that answered a SYN. */
  addRefused(m: Messages, i: number, time: Time): void {
    const sum = this.of(m.to[i], m.toPort[i], m.from[i], time)
    if (!sum) return
    sum.refused++
    if (sum.frames.length < 2 * MOST_FRAMES) sum.frames.push(m.file[i], m.frame[i])
  }

  /** Null for a copy of what was seen. */
  private of(client: AddressId, port: number, server: AddressId, time: Time): UnopenedSum | null {
    for (let i = 0; i < RECENT; i++) {
      if (this.recentClient[i] !== client || this.recentPort[i] !== port) continue
      if (time - this.recentTime[i] < COPIES) return null
    }
    this.recentClient[this.next] = client
    this.recentPort[this.next] = port
    this.recentTime[this.next] = time
    this.next = (this.next + 1) % RECENT
    const sum = this.sums.of(pairOf(client, server))
    if (sum.client === NONE) {
      sum.client = client
      sum.server = server
      sum.first = time
    }
    return sum
  }
}
