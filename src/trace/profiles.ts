/**
 * The habits of each client over the whole capture, learned before its lookups are grouped: whether its ids come from a clock (musl),
 * and which IPv4 and IPv6 addresses are one client's.
 */
import { A, AAAA } from '../codes.ts'
import { type AddressId, NONE, type Time } from '../model.ts'
import type { Addresses } from '../wire/tables.ts'
import { isClockPair } from './resolvers.ts'
import type { Transaction } from './transaction.ts'

/** Legs of one candidate leave within this. */
const LEG_GAP: Time = 50e6
/** Copies of one query to servers of both families leave within this, and retries after an error follow within it. */
const COPY_GAP: Time = 5e6
/** Random ids look like a clock's this often. */
export const CHANCE_OF_CLOCK_PAIR = 0.015
/** Coincidences of id, port, name and time that prove two addresses to be one client's. */
const ENOUGH_TWINS = 2

const HALF_SECOND: Time = 0.5e9
/** A repeat that is later than this behind a half second was not sent by such a timer. */
const MAX_LATE: Time = 15e6
const LATENESS_SAMPLES = 256

interface Profile {
  pairs: number
  clockPairs: number
  /** The last A query, whose AAAA may follow. */
  last: Transaction | null
}

export class Profiles {
  private readonly profiles = new Map<AddressId, Profile>()
  private readonly twins = new Map<AddressId, Map<AddressId, number>>()
  /** The latest queries, of all clients: where a copy from the other address is looked for. */
  private recent: Transaction[] = []
  private readonly addresses: Addresses
  private readonly lateness: Time[] = []

  constructor(addresses: Addresses) {
    this.addresses = addresses
  }

  /** Looks at a transaction in order of start. */
  observe(t: Transaction): void {
    this.observeTimer(t)
    if (t.qtype !== A && t.qtype !== AAAA) return
    this.observePair(t)
    this.observeTwin(t)
  }

  private observePair(t: Transaction): void {
    let profile = this.profiles.get(t.client)
    if (!profile) {
      profile = { pairs: 0, clockPairs: 0, last: null }
      this.profiles.set(t.client, profile)
    }
    if (t.qtype === A) {
      profile.last = t
      return
    }
    const { last } = profile
    if (!last || last.qname !== t.qname || last.clientPort !== t.clientPort) return
    if (t.start - last.start > LEG_GAP || t.edns !== NONE || last.dnsId === t.dnsId) return
    profile.pairs++
    if (isClockPair(last, t)) profile.clockPairs++
    profile.last = null
  }

  /** A query copied or repeated to a server of the other family keeps its id: two addresses of one pod (musl at once, glibc after an error). */
  private observeTwin(t: Transaction): void {
    for (const other of this.recent) {
      if (other.dnsId !== t.dnsId || other.client === t.client || other.server === t.server) continue
      if (other.qname !== t.qname || other.qtype !== t.qtype || t.start - other.start > COPY_GAP) continue
      if (this.isV6(other.client) === this.isV6(t.client)) continue
      const [first, second] = other.client < t.client ? [other.client, t.client] : [t.client, other.client]
      let counts = this.twins.get(second)
      if (!counts) {
        counts = new Map()
        this.twins.set(second, counts)
      }
      counts.set(first, (counts.get(first) ?? 0) + 1)
    }
    this.recent.push(t)
    if (this.recent.length > 16) this.recent.shift()
  }

  /** Timers are set to whole or half seconds and fire late by as much as the client's machine is slow. */
  private observeTimer(t: Transaction): void {
    if (!t.resent) return
    const late = (t.resent[0] - t.start) % HALF_SECOND
    if (late > MAX_LATE) return
    if (this.lateness.length >= LATENESS_SAMPLES) this.lateness.shift()
    this.lateness.push(late)
  }

  /** How late the timers of this capture's clients fire: the median; 0 while too few were seen. */
  get timersLate(): Time {
    if (this.lateness.length < 3) return 0
    return [...this.lateness].sort((a, b) => a - b)[this.lateness.length >> 1]
  }

  private isV6(address: AddressId): boolean {
    return this.addresses.text(address).includes(':')
  }

  /** The share of a client's pairs of ids that only a clock explains; 0 where it showed none. */
  clockShare(client: AddressId): number {
    const profile = this.profiles.get(client)
    if (!profile || profile.pairs === 0) return 0
    return Math.max(0, profile.clockPairs / profile.pairs - CHANCE_OF_CLOCK_PAIR)
  }

  /** One address for all addresses of a client. */
  clientOf(address: AddressId): AddressId {
    for (const [twin, n] of this.twins.get(address) ?? []) if (n >= ENOUGH_TWINS) return twin
    return address
  }
}
