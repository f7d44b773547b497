/**
 * How long stub resolvers wait, and how soon they go on; and how late their timers fire: set to whole or half seconds, they are late by as
 * much as the client's machine is slow. A capture in which clients' queries are read is of one machine.
 */
import type { AddressId, NameId, Time } from '../model.ts'
import { RESPONSE_LOST, type Transaction } from './transaction.ts'

/** Timers of stub resolvers after silence: c-ares' own begin at a quarter of a second, less a tenth, and end at 8 s. */
const SHORTEST_TIMER: Time = 0.22e9
export const LONGEST_TIMER: Time = 8.5e9
/** The shortest that anybody sets (options timeout:1), less what a timer may be early; no healthy server needs that long. */
export const SHORTEST_TIMEOUT: Time = 0.9e9

/** So long after a query its resolver may ask again. */
export const isTimer = (silence: Time): boolean => silence >= SHORTEST_TIMER && silence <= LONGEST_TIMER

/** Both legs of a name leave within this (L1). */
export const LEG_GAP: Time = 50e6
/** The next candidate, or a retry after an error, follows an answer within this: a stub resolver needs microseconds, a starved pod more (K1). */
export const STEP_GAP: Time = 50e6
/** A sequential leg follows the first one's answer within this (L2); a tool that is started again takes longer. */
export const SEQUENTIAL_GAP: Time = 5e6
/** Starting a program takes longer than this, going on with a walk does not. */
export const RESTART_GAP: Time = 10e6
/** A pod whose time is used up stands still for up to a tenth of a second (CFS): between two legs, or before the name as it is. */
export const THROTTLED: Time = 150e6
/** Who has no answer after this asks again. */
export const LATE_ANSWER: Time = 5e9
/** Copies to several servers leave within this (musl). */
export const FAN_OUT_GAP: Time = 5e6

/** Who goes on to another name after silence (glibc, Go) counts whole seconds; a timer fires late, by little. */
const SECOND: Time = 1e9
const TIMER_EARLY: Time = 20e6
const TIMER_LATE: Time = 250e6
const TIMER_PUNCTUAL: Time = 20e6
/** Linux lets a poll of a niced process wait longer by this share, so that timers fire together (fs/select.c). */
const NICED = 1 / 200

export const isWholeSeconds = (silence: Time): boolean =>
  silence >= SECOND - TIMER_EARLY && (silence + TIMER_EARLY) % SECOND <= TIMER_EARLY + TIMER_LATE

/** The same of who was answered, as the capture shows: programs that ask again do so at any time. */
export const isPunctual = (silence: Time): boolean =>
  silence >= SECOND - TIMER_EARLY && (silence + TIMER_EARLY) % SECOND <= TIMER_EARLY + TIMER_PUNCTUAL + silence * NICED

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
