/**
 * Where a forwarder's answer came from: further on, its cache, its own knowledge, or a query that it had made for somebody else. A
 * capture that does not show a forwarder's own queries never shows a cache hit.
 */
import { AA, NOERROR, NXDOMAIN, RA, SERVFAIL } from '../codes.ts'
import { type AddressId, NONE, type ServedFrom, type Time } from '../model.ts'
import type { Encrypted } from '../wire/encrypted.ts'
import type { Names } from '../wire/names.ts'
import type { Tables } from '../wire/tables.ts'
import type { Endpoints } from './endpoints.ts'
import { Servfails } from './servfails.ts'
import { isWithin } from './suffix.ts'
import { ANSWERED, answeredAt, CLOCK_SLACK, RESPONSE_LOST, type Transaction } from './transaction.ts'

/** Part of a forwarder's queries that nobody can read: with more, nobody can tell what it had in its cache. */
const MOST_CUT = 0.02
/** Within one capture what was waited for came before what it was waited for: but for the order of two processors. */
const SLACK_WITHIN: Time = 50e3
/** So many answers must show a server's habit. */
const ENOUGH = 3
/** Answers without AA for one with it, at most, of a server that sets it on what it has in its cache. */
const MOST_PLAIN = 10
/** A cached answer's TTL has not gone down yet within the first second. */
const FIRST_SECOND: Time = 1e9
const MAX_ENTRIES = 20_000

/** What a server's answers show of its cache. */
interface Habits {
  /** Answers without a query further on that bear AA and RA: CoreDNS' cache sets AA on what it has from elsewhere. */
  authorityOnHits: number
  /** The same without AA: other caches', what was asked where the capture did not look, and of dnsmasq nearly all. */
  plainHits: number
  /** Largest TTL of the cluster's own names, positive and negative: that of the kubernetes plugin itself. */
  fullTtl: [positive: number, negative: number]
  /** Answers of such names whose TTL had gone down: they are cached too. */
  countedDown: number
}

export class Serving {
  private readonly names: Names
  private readonly encrypted: Encrypted
  private readonly endpoints: Endpoints
  private readonly servfails = new Servfails()
  /** Forwarders of which at least one query to the next hop was captured: only they can be seen to answer from a cache. */
  private readonly visible = new Set<AddressId>()
  /** What forwarders asked, by the address that they answer on: queries, and those whose name the snap length cut. */
  private readonly asked = new Map<AddressId, { queries: number; cut: number }>()
  private readonly habits = new Map<AddressId, Habits>()
  /** When a cluster name was last answered in full, by server and question. */
  private readonly answeredInFull = new Map<string, Time>()

  constructor({ names, encrypted }: Tables, endpoints: Endpoints) {
    this.names = names
    this.encrypted = encrypted
    this.endpoints = endpoints
  }

  /** True where it was seen to ask on, and what it asked can be read. */
  isVisible(server: AddressId): boolean {
    return this.visible.has(server) && !this.isUnreadable(server)
  }

  /** The snap length cut the names of more than a few of the questions that it asked: one of them may be any that it had. */
  private isUnreadable(server: AddressId): boolean {
    const asked = this.asked.get(server)
    return asked !== undefined && asked.cut > MOST_CUT * asked.queries
  }

  /** True where it behaves as CoreDNS does: its answers from the cache bear AA. */
  isCoredns(server: AddressId): boolean {
    return this.endpoints.serverRole(server).role === 'coredns' || setsAuthority(this.habitsOf(server))
  }

  /** Takes a batch when its hops are linked, before any of them is closed. */
  observe(batch: readonly Transaction[]): void {
    for (const t of batch) {
      if (t.causes) for (const cause of t.causes) this.visible.add(cause.server)
      if (t.causes || t.nameCut) this.noteAsked(t)
      this.noteFailure(t)
      if (t.rcode === NONE || t.effects) continue
      const habits = this.habitsOf(t.server)
      if (t.responseFlags & AA && t.responseFlags & RA) habits.authorityOnHits++
      else if (t.responseFlags & RA) habits.plainHits++
      if (!this.isClusterAnswer(t)) continue
      const sign = signOf(t)
      if (t.recordTtl > habits.fullTtl[sign]) habits.fullTtl[sign] = t.recordTtl
      else if (t.recordTtl < habits.fullTtl[sign]) habits.countedDown++
    }
  }

  private noteAsked({ client, causes, nameCut }: Transaction): void {
    const server = causes ? causes[0].server : this.endpoints.forwarderAt(client)
    const asked = this.asked.get(server)
    // There are no more forwarders than servers, and other clients than forwarders need no count.
    if (asked === undefined) {
      if (causes) this.asked.set(server, { queries: 1, cut: 0 })
      return
    }
    asked.queries++
    if (nameCut) asked.cut++
  }

  /** A failure that came from further on is kept for a while. */
  noteFailure(t: Transaction): void {
    if (t.rcode === SERVFAIL && t.effects) this.servfails.note(t)
  }

  /** Null where it cannot be seen. */
  of(t: Transaction): ServedFrom | null {
    if (t.state !== ANSWERED && t.state !== RESPONSE_LOST) return null
    const end = answeredAt(t)
    const waitedFor = waitedForBy(t, end)
    // What was asked on came back with a TTL, and the answer bears none: it was in the cache, and is refreshed.
    const isRefreshed = t.recordTtl === 0 && waitedFor !== undefined && waitedFor.recordTtl > 0
    if (waitedFor && !isRefreshed) return waitedFor.causes?.[0] === t ? 'forwarded' : 'shared'
    // What else an upstream knows, and whom it asks other questions, is its own affair.
    const { role } = this.endpoints.serverRole(t.server)
    if (role !== 'coredns' && role !== 'node-local-cache' && role !== 'host-resolver') return null
    // A query upstream that the client did not wait for is a refresh: the answer was in the cache.
    if (t.effects && t.recordTtl === 0) return 'stale'
    const isAuthority = (t.responseFlags & AA) !== 0
    if (role === 'coredns' && isAuthority && !(t.responseFlags & RA)) return this.ofCluster(t)
    if (!this.isVisible(t.server)) return null
    // CoreDNS sets AA on what it has in its cache: what comes without was asked for where the capture did not look.
    if (!isAuthority && this.encrypted.isUsedBy(t.server)) return null
    if (!isAuthority && setsAuthority(this.habitsOf(t.server))) return null
    if (t.rcode === NOERROR || t.rcode === NXDOMAIN) return 'cache'
    return this.servfails.isCached(t) ? 'cache' : null
  }

  /** What CoreDNS has from the API server, it may have in its cache as well; what a service points to outside, it must have looked up. */
  private ofCluster(t: Transaction): ServedFrom {
    const zone = this.endpoints.clusterDomain
    if (t.cname !== NONE) {
      const leadsOut = zone !== null && !isWithin(this.names.text(t.cname), zone)
      return leadsOut && this.visible.has(t.server) ? 'cache' : 'authoritative'
    }
    if (!this.isClusterAnswer(t)) return 'authoritative'
    const habits = this.habitsOf(t.server)
    if (habits.countedDown < ENOUGH) return 'authoritative'
    if (t.recordTtl < habits.fullTtl[signOf(t)]) return 'cache'
    const key = `${t.server} ${t.qname} ${t.qtype}`
    const before = this.answeredInFull.get(key)
    if (before !== undefined && t.start >= before && t.start - before < FIRST_SECOND) return 'cache'
    if (this.answeredInFull.size >= MAX_ENTRIES) this.answeredInFull.clear()
    this.answeredInFull.set(key, answeredAt(t))
    return 'authoritative'
  }

  /** An answer of the kubernetes plugin with a TTL of its own. */
  private isClusterAnswer(t: Transaction): boolean {
    if (t.qname === NONE || t.cname !== NONE || t.recordTtl < 0) return false
    if (!(t.responseFlags & AA) || t.responseFlags & RA) return false
    const zone = this.endpoints.clusterDomain
    const name = this.names.text(t.qname)
    return zone === null ? name.includes('.svc.') : isWithin(name, zone)
  }

  private habitsOf(server: AddressId): Habits {
    let habits = this.habits.get(server)
    if (!habits) {
      habits = { authorityOnHits: 0, plainHits: 0, fullTtl: [0, 0], countedDown: 0 }
      this.habits.set(server, habits)
    }
    return habits
  }
}

/** The query further on without which it was not answered; undefined where there was none. A closure here would be made for every hop. */
function waitedForBy(t: Transaction, end: Time): Transaction | undefined {
  if (t.effects !== null)
    for (const effect of t.effects) if (effect.start <= end && !(effect.end > end + slackOf(t, effect))) return effect
  return undefined
}

const slackOf = (t: Transaction, effect: Transaction): Time =>
  t.timedIn === effect.timedIn ? SLACK_WITHIN : CLOCK_SLACK

/** What dnsmasq hands on to several who waited bears the AA of the server behind it. */
const setsAuthority = ({ authorityOnHits, plainHits }: Habits): boolean =>
  authorityOnHits >= ENOUGH && authorityOnHits * MOST_PLAIN >= plainHits

const signOf = (t: Transaction): 0 | 1 => (t.rcode === NOERROR && t.answerCount > 0 ? 0 : 1)
