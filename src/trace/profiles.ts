/** The habits of each client over the whole capture, learned before its lookups are grouped: whether its ids come from a clock (musl). */
import { A, AAAA } from '../codes.ts'
import { type AddressId, type NameId, NONE, type Time } from '../model.ts'
import { type ClientHabits, FAST_CLOCK, type Habits, isClockPair, SLOW_CLOCK } from './habits.ts'
import { LEG_GAP } from './timers.ts'
import type { Transaction } from './transaction.ts'

interface Profile extends ClientHabits {
  /** The last A query, whose AAAA may follow; `qname` is NONE where there is none. */
  qname: NameId
  clientPort: number
  dnsId: number
  start: Time
  /** The resolver of its lookups, as far as they tell: null before, "" where they tell several. */
  resolver: string | null
  labels: number
  /** The shortest timeout that its lookups showed (options timeout:n), and how many showed that; NaN before. */
  timeout: Time
  timeouts: number
}

/** Timeouts that differ by less are one; so many show it, as a single one may be chance. */
const ONE_TIMEOUT = 0.05
const ENOUGH_TIMEOUTS = 2
const MANY_LABELS = 8

export class Profiles {
  /** By address. */
  private readonly profiles: (Profile | undefined)[] = []

  /** Looks at a transaction in order of start. */
  observe(t: Transaction): void {
    if (t.qtype !== A && t.qtype !== AAAA) return
    const profile = this.of(t.client)
    if (t.qtype === A) {
      profile.qname = t.qname
      profile.clientPort = t.clientPort
      profile.dnsId = t.dnsId
      profile.start = t.start
      return
    }
    if (profile.qname === NONE || profile.qname !== t.qname || profile.clientPort !== t.clientPort) return
    if (t.start - profile.start > LEG_GAP || t.edns !== NONE || profile.dnsId === t.dnsId) return
    profile.pairs++
    if (isClockPair(profile, t, FAST_CLOCK)) profile.clockPairs++
    if (isClockPair(profile, t, SLOW_CLOCK)) profile.slowClockPairs++
    profile.qname = NONE
  }

  /** Takes what a lookup that is closed showed; without OPT, which tells them apart itself, only ports do. */
  noteWalk(client: AddressId, habits: Habits): void {
    if (habits.candidates < 2 || habits.edns !== null || habits.candidatesTogether) return
    const profile = this.of(client)
    profile.walks++
    if (habits.walkSharesSocket) profile.sharedWalks++
  }

  /** Takes the label of a lookup and the timeout that it showed; null without. */
  noteResolver(client: AddressId, label: string | null, timeout: Time | null): void {
    const profile = this.of(client)
    if (label !== null) {
      if (profile.resolver !== label) profile.resolver = profile.resolver === null ? label : ''
      profile.labels++
    }
    if (timeout === null || timeout > profile.timeout * (1 + ONE_TIMEOUT)) return
    if (!(timeout >= profile.timeout * (1 - ONE_TIMEOUT))) {
      profile.timeout = timeout
      profile.timeouts = 0
    }
    profile.timeouts++
  }

  /** True where many lookups told a resolver; whether it was one stands in `resolver`. */
  isSettled(client: AddressId): boolean {
    return this.of(client).labels >= MANY_LABELS
  }

  /** The timeout that a client's lookups showed; null while too few did. */
  timeoutOf(client: AddressId): Time | null {
    const { timeout, timeouts } = this.of(client)
    return timeouts >= ENOUGH_TIMEOUTS ? timeout : null
  }

  /** What all of a client's lookups showed so far. */
  of(client: AddressId): Profile {
    let profile = this.profiles[client]
    if (profile === undefined) {
      profile = newProfile()
      this.profiles[client] = profile
    }
    return profile
  }
}

const newProfile = (): Profile => ({
  pairs: 0,
  clockPairs: 0,
  slowClockPairs: 0,
  walks: 0,
  sharedWalks: 0,
  qname: NONE,
  clientPort: 0,
  dnsId: 0,
  start: 0,
  resolver: null,
  labels: 0,
  timeout: Number.NaN,
  timeouts: 0,
})
