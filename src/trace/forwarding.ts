/**
 * Hops are linked: which transactions made a forwarder (CoreDNS, NodeLocal DNSCache, dnsmasq) ask which others, by the same question
 * within the time that the asker waited. Rules H0 to H14 of the hop rules that ARCHITECTURE.md describes.
 *
 * A forwarder that answers on one address may ask from another (NodeLocal DNSCache: from the node's). Which one it is is learned by
 * counting how often a query from that address lies within a wait at the other.
 */
import { HINFO, NS } from '../codes.ts'
import { type AddressId, INCOMING, type NameId, NONE, OTHER_HOST, type Time } from '../model.ts'
import type { Names } from '../wire/tables.ts'
import type { Profiles } from './profiles.ts'
import { endsWithSuffix, withoutSuffix } from './suffix.ts'
import { type Transaction, UNREACHED } from './transaction.ts'

/** The query upstream may bear an earlier time by this much: two interfaces, one clock. */
const SLACK: Time = 1e6
/** CoreDNS tries upstreams for 5 s and answers after 6 at the latest. */
const BUDGET: Time = 6.1e9
/** A first try leaves the forwarder within this; a later one is a retry after silence. */
const FIRST_TRY: Time = 1e9
/** Coincidences that prove that a forwarder asks from another address than it answers on, ... */
const ENOUGH_VOTES = 3
/** ... and the share of what that address asks which they must be: its host's own processes ask from there too. */
const ENOUGH_SHARE = 0.15

export class Forwarding {
  /** Two passes look at the same transactions, one to learn and one to link, each with its own memory. */
  private readonly learning = new Waiting()
  private readonly linking = new Waiting()
  /** By the name that the answer's CNAME leads to. */
  private readonly renamed = new Waiting()
  /** Source address -> answering address -> coincidences. */
  private readonly votes = new Map<AddressId, Map<AddressId, number>>()
  /** Answering address -> source address and what stood behind ".svc." in names that coincided -> how often. */
  private readonly services = new Map<AddressId, Map<string, { source: AddressId; zone: string; count: number }>>()
  /** Transactions per source address. */
  private readonly asked = new Map<AddressId, number>()
  private readonly names: Names
  private readonly profiles: Profiles
  private readonly loopName = /^\d{8,}\.\d{8,}(\.|$)/

  constructor(names: Names, profiles: Profiles) {
    this.names = names
    this.profiles = profiles
  }

  /** Looks at a transaction in order of start, before any is linked: learns who asks from where. */
  observe(t: Transaction): void {
    let direct = false
    const candidates: AddressId[] = []
    const zone = t.qname === NONE ? null : zoneBehindService(this.names.text(t.qname))
    for (const c of this.learning.enclosing(questionOf(t.qname, t.qtype), t)) {
      if (c.server === t.client) direct = true
      else if (c.client === t.client || candidates.includes(c.server)) continue
      else candidates.push(c.server)
      if (zone !== null) this.noteService(c.server, t.client, zone)
    }
    this.learning.remember(questionOf(t.qname, t.qtype), t)
    this.asked.set(t.client, (this.asked.get(t.client) ?? 0) + 1)
    // A query that comes in through an interface was sent by a pod or another host, not by a forwarder of this one.
    if (direct || candidates.length === 0 || t.direction === INCOMING || t.direction === OTHER_HOST) return
    let votes = this.votes.get(t.client)
    if (!votes) {
      votes = new Map()
      this.votes.set(t.client, votes)
    }
    for (const server of candidates) votes.set(server, (votes.get(server) ?? 0) + 1)
  }

  /** True if `source` is known as the address from which the forwarder that answers on `server` asks. */
  asksFrom(server: AddressId, source: AddressId): boolean {
    if (server === source) return true
    const votes = this.votes.get(source)?.get(server) ?? 0
    return votes >= ENOUGH_VOTES && votes >= ENOUGH_SHARE * (this.asked.get(source) ?? 0)
  }

  /** The answering addresses of the forwarder that asks from `source`. */
  forwardersAt(source: AddressId): AddressId[] {
    return [...(this.votes.get(source)?.keys() ?? [])].filter(server => this.asksFrom(server, source))
  }

  /** True if the forwarder at `server` was seen to ask on for services of the cluster: CoreDNS knows them itself, a cache does not. */
  forwardsServices(server: AddressId, zone: string | null): boolean {
    for (const service of this.services.get(server)?.values() ?? []) {
      if (service.zone === zone && service.count >= ENOUGH_VOTES && this.asksFrom(server, service.source)) return true
    }
    return false
  }

  private noteService(server: AddressId, source: AddressId, zone: string): void {
    let services = this.services.get(server)
    if (!services) {
      services = new Map()
      this.services.set(server, services)
    }
    const key = `${source} ${zone}`
    const known = services.get(key)
    if (known) known.count++
    else services.set(key, { source, zone, count: 1 })
  }

  /** Links a transaction to what caused it. True if something did. */
  link(t: Transaction): boolean {
    t.infrastructure = this.isInfrastructure(t)
    if (t.infrastructure) return false
    const possible = this.linking
      .enclosing(questionOf(t.qname, t.qtype), t)
      .filter(c => this.asksFrom(c.server, t.client) && !this.isCopy(c, t))
    this.linking.remember(questionOf(t.qname, t.qtype), t)
    return attach(t, chooseCause(possible, t))
  }

  /**
   * Links what asks for another name than its client did: the target of an ExternalName service, or what autopath tries on the server.
   * Both show in the answer, whose CNAME leads to the name. Takes all transactions in order of start, after `link`; `suffixes` are the
   * known search domains. True if something caused it.
   */
  linkRenamed(t: Transaction, suffixes: string[]): boolean {
    if (t.cname !== NONE) this.renamed.remember(questionOf(t.cname, t.qtype), t)
    if (t.causes || t.infrastructure || t.qname === NONE) return false
    const name = this.names.text(t.qname)
    for (const suffix of ['', ...suffixes]) {
      if (suffix !== '' && !endsWithSuffix(name, suffix)) continue
      const base = suffix === '' ? t.qname : this.names.internText(withoutSuffix(name, suffix))
      const possible = this.renamed
        .enclosing(questionOf(base, t.qtype), t)
        .filter(c => this.asksFrom(c.server, t.client) && !this.isCopy(c, t))
      if (attach(t, chooseCause(possible, t))) return true
    }
    return false
  }

  /** One client asks two servers, perhaps from two addresses: a copy or a failover, not a forwarder at work. */
  private isCopy(c: Transaction, t: Transaction): boolean {
    if (c.dnsId !== t.dnsId && c.clientPort !== t.clientPort) return false
    return this.profiles.clientOf(c.client) === this.profiles.clientOf(t.client)
  }

  /** Health checks and loop probes: what forwarders ask for themselves (H10). */
  private isInfrastructure(t: Transaction): boolean {
    if (t.qname === NONE) return true
    const name = this.names.text(t.qname)
    return (t.qtype === NS && name === '') || (t.qtype === HINFO && this.loopName.test(name))
  }
}

/**
 * What a forwarder may be working on, by question. Transactions come in order of start, so one that has ended before the latest began
 * is never asked for again: each list is as long as its question is open.
 */
class Waiting {
  private readonly byQuestion = new Map<number, Transaction[]>()
  /** Questions and the times at which their lists are gone through; numbers, so that they keep nothing alive. */
  private questions: number[] = []
  private due: Time[] = []
  private head = 0

  /** The transactions with the same question during whose wait this one began, another server's. */
  enclosing(question: number, t: Transaction): Transaction[] {
    const same = this.byQuestion.get(question)
    if (!same) return NOTHING
    dropEnded(same, t.start)
    let found: Transaction[] | null = null
    for (const c of same) {
      // Nobody asks on by way of the one who asked.
      if (c.server === t.server || c.client === t.server) continue
      if (c.start > t.start + SLACK || c.state === UNREACHED) continue
      if (c.dnsId === t.dnsId && c.clientPort === t.clientPort) continue
      if (found) found.push(c)
      else found = [c]
    }
    return found ?? NOTHING
  }

  remember(question: number, t: Transaction): void {
    const same = this.byQuestion.get(question)
    if (same) same.push(t)
    else this.byQuestion.set(question, [t])
    this.forget(t.start)
    this.questions.push(question)
    this.due.push(t.start + REVIEW)
  }

  /** Questions that nobody asks again would stay for ever: their lists are gone through when they are due. */
  private forget(now: Time): void {
    while (this.head < this.due.length && this.due[this.head] <= now) {
      const question = this.questions[this.head++]
      const same = this.byQuestion.get(question)
      if (!same) continue
      dropEnded(same, now)
      if (same.length === 0) this.byQuestion.delete(question)
      else {
        this.questions.push(question)
        this.due.push(now + REVIEW)
      }
    }
    if (this.head > 4096 && this.head * 2 > this.due.length) {
      this.questions = this.questions.slice(this.head)
      this.due = this.due.slice(this.head)
      this.head = 0
    }
  }
}

/** After this a question's transactions have mostly been answered. */
const REVIEW: Time = 0.3e9

/** Drops what had ended before `now`, and what no forwarder works on any more. */
function dropEnded(transactions: Transaction[], now: Time): void {
  let kept = 0
  for (const c of transactions) if (!(c.end + SLACK < now) && now - c.lastQuery <= BUDGET) transactions[kept++] = c
  transactions.length = kept
}

const NOTHING: Transaction[] = []

/** cluster.local of web.shop.svc.cluster.local; null for a name that is no service's. */
function zoneBehindService(name: string): string | null {
  const at = name.lastIndexOf('.svc.')
  return at < 0 ? null : name.slice(at + 5)
}

const questionOf = (qname: NameId, qtype: number): number => (qname + 1) * 0x1_0000 + (qtype & 0xffff)

function attach(t: Transaction, cause: Transaction | null): boolean {
  if (!cause) return false
  t.causes = [cause]
  if (cause.effects) cause.effects.push(t)
  else cause.effects = [t]
  return true
}

/**
 * Of several askers, the first that has no effect yet: CoreDNS does not coalesce, so each asker has its own query upstream, in order
 * (H4). A query long after the asker's is a retry for one that has an effect already (H5).
 */
function chooseCause(possible: Transaction[], t: Transaction): Transaction | null {
  let best: Transaction | null = null
  let bestRank = Number.POSITIVE_INFINITY
  for (const c of possible) {
    const gap = Math.abs(t.start - lastQueryBefore(c, t.start))
    const effects = c.effects?.length ?? 0
    const fresh = effects === 0 || c.retransmissions >= effects
    const sameId = c.dnsId === t.dnsId ? 0 : 1
    // First tries belong to askers without effects, in order; retries to askers whose effect is unanswered.
    const rank = (gap <= FIRST_TRY && fresh ? 0 : effects > 0 ? 1e12 : 2e12) + sameId * 1e11 - gap
    if (rank < bestRank) {
      best = c
      bestRank = rank
    }
  }
  return best
}

function lastQueryBefore(t: Transaction, time: Time): Time {
  let last = t.start
  if (t.resent) for (const resent of t.resent) if (resent <= time + SLACK) last = resent
  return last
}
