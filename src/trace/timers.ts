/**
 * How late the timers of stub resolvers fire: set to whole or half seconds, they are late by as much as the client's machine is slow. A
 * capture in which clients' queries are read is of one machine.
 */
import type { AddressId, NameId, Time } from '../model.ts'
import { RESPONSE_LOST, type Transaction } from './transaction.ts'

/** Timers of stub resolvers after silence: from timeout:1 less a tenth to 6 s (three servers), and c-ares' 8 s. */
const SHORTEST_TIMER: Time = 0.22e9
export const LONGEST_TIMER: Time = 8.5e9

/** So long after a query its resolver may ask again. */
export const isTimer = (silence: Time): boolean => silence >= SHORTEST_TIMER && silence <= LONGEST_TIMER

/** Both legs of a name leave within this (L1). */
export const LEG_GAP: Time = 50e6
/** The next candidate, or a retry after an error, follows an answer within this: a stub resolver needs microseconds, a starved pod more (K1). */
export const STEP_GAP: Time = 50e6

const HALF_SECOND: Time = 0.5e9
/** A repeat that is later than this behind a half second was not sent by such a timer. */
const MAX_LATE: Time = 15e6
const MOST_SAMPLES = 256
const ENOUGH = 3
/** Queries whose response was lost that are looked at when one comes again: few are at once. */
const MOST_LOST = 64

interface Lateness {
  samples: Time[]
  /** NaN where it has to be found anew. */
  median: Time
}

interface Lost {
  client: AddressId
  clientPort: number
  dnsId: number
  qname: NameId
  qtype: number
  start: Time
}

export class Timers {
  /** By file. */
  private readonly lateness: (Lateness | undefined)[] = []
  /** The latest last. */
  private readonly lost: Lost[] = []

  /** Looks at a transaction in order of start. */
  observe(t: Transaction): void {
    if (t.resent) this.note(t, t.resent[0] - t.start)
    else if (this.lost.length > 0) this.noteRepeat(t)
    if (t.state !== RESPONSE_LOST) return
    const { client, clientPort, dnsId, qname, qtype, start } = t
    if (this.lost.length >= MOST_LOST) this.lost.shift()
    this.lost.push({ client, clientPort, dnsId, qname, qtype, start })
  }

  /** By how much the timers of the clients in this file are late: the median; 0 while too few were seen. */
  late(file: number): Time {
    const lateness = this.lateness[file]
    if (!lateness || lateness.samples.length < ENOUGH) return 0
    if (Number.isNaN(lateness.median))
      lateness.median = [...lateness.samples].sort((a, b) => a - b)[lateness.samples.length >> 1]
    return lateness.median
  }

  /** What the client asks again because the response was lost is a transaction of its own: the servers had done with the first. */
  private noteRepeat(t: Transaction): void {
    const i = this.lost.findLastIndex(
      ({ client, clientPort, dnsId, qname, qtype }) =>
        client === t.client &&
        clientPort === t.clientPort &&
        dnsId === t.dnsId &&
        qname === t.qname &&
        qtype === t.qtype,
    )
    if (i < 0) return
    const [{ start }] = this.lost.splice(i, 1)
    this.note(t, t.start - start)
  }

  private note(t: Transaction, gap: Time): void {
    const late = gap % HALF_SECOND
    if (late > MAX_LATE) return
    let lateness = this.lateness[t.timedIn]
    if (!lateness) {
      lateness = { samples: [], median: Number.NaN }
      this.lateness[t.timedIn] = lateness
    }
    if (lateness.samples.length >= MOST_SAMPLES) lateness.samples.shift()
    lateness.samples.push(late)
    lateness.median = Number.NaN
  }
}
