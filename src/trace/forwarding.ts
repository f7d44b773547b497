/**
 * Hops are linked: which transactions made a forwarder (CoreDNS, NodeLocal DNSCache, dnsmasq) ask which others, by the same question
 * within the time that the asker waited. Rules H0 to H14 of the hop rules that ARCHITECTURE.md describes.
 *
 * A forwarder that answers on one address may ask from another (NodeLocal DNSCache: from the node's). Which one it is is learned by
 * counting how often a query from that address lies within a wait at the other.
 */
import { HINFO, NS } from '../codes.ts'
import { type AddressId, INCOMING, type NameId, NONE, OTHER_HOST, type Time } from '../model.ts'
import type { Names } from '../wire/names.ts'
import { chooseCause, hasAnswered } from './causes.ts'
import { Reviews } from './reviews.ts'
import { endsWithSuffix, withoutSuffix } from './suffix.ts'
import { CLOCK_SLACK, type Transaction, UNREACHED } from './transaction.ts'
import { kept, type Transactions } from './transactions.ts'
import type { Twins } from './twins.ts'

/** CoreDNS tries upstreams for 5 s and answers after 6 at the latest. */
export const BUDGET: Time = 6.1e9
/** Coincidences that prove that a forwarder asks from another address than it answers on, ... */
const ENOUGH_VOTES = 3
/** ... and the share of what that address asks which they must be: its host's own processes ask from there too. */
const ENOUGH_SHARE = 0.15
/** Queries of a client that a server was seen to send on from its own address, and how many it may send for each. */
const ENOUGH_FORWARDED = 8
const MOST_OWN = 4

/** Coincidences, and those that no other server shares. */
interface Votes {
  all: number
  alone: number
}

export class Forwarding {
  private readonly waiting: Waiting
  /** By the name that the answer's CNAME leads to. */
  private readonly renamed = new Renamed()
  /** Source address -> answering address -> coincidences. */
  private readonly votes = new Map<AddressId, Map<AddressId, Votes>>()
  /** The same the other way round: answering address -> source addresses. */
  private readonly sources = new Map<AddressId, Set<AddressId>>()
  /** Answering address -> source address and what stood behind ".svc." in names that coincided -> how often. */
  private readonly services = new Map<AddressId, Map<string, { source: AddressId; zone: string; count: number }>>()
  /** Transactions per source address, and per address that was asked. By address. */
  private readonly asked: number[] = []
  private readonly serves: number[] = []
  /** Transactions among the asked ones that a client of that same address was waiting for. */
  private readonly forwarded: number[] = []
  private readonly names: Names
  readonly twins: Twins
  private readonly loopName = /^\d{8,}\.\d{8,}(\.|$)/

  constructor(names: Names, twins: Twins, transactions: Transactions) {
    this.waiting = new Waiting(transactions, twins)
    this.names = names
    this.twins = twins
  }

  /** Looks at a transaction in order of start, before any is linked: learns who asks from where. */
  observe(t: Transaction): void {
    t.infrastructure = this.isInfrastructure(t)
    this.asked[t.client] = (this.asked[t.client] ?? 0) + 1
    this.serves[t.server] = (this.serves[t.server] ?? 0) + 1
    // Without its query nobody knows when it began (forwarded-answers.ts).
    if (t.withoutQuery) return
    t.enclosing = this.waiting.enclosing(t)
    this.waiting.remember(t)
    if (t.enclosing) this.learn(t, t.enclosing)
  }

  private learn(t: Transaction, enclosing: Transaction[]): void {
    const zone = this.zoneOf(t)
    let direct = false
    let clients = 0
    let client: AddressId = NONE
    const servers: AddressId[] = []
    for (const c of enclosing) {
      if (hasAnswered(c, t.start) || haveOneId(c, t)) continue
      if (this.twins.areOne(c.server, t.client)) {
        direct = true
        if (zone !== null) this.noteService(c.server, t.client, zone)
      } else if (this.twins.areOne(c.client, t.client) || servers.includes(c.server)) continue
      else servers.push(c.server)
      if (c.client !== client) clients++
      client = c.client
    }
    const isCopied = clients === 1 && servers.length > 1
    // Who asks two servers at once (musl) makes it look as if either asked on: the one that does so for others, too, did.
    const known = isCopied ? servers.filter(server => this.isProven(t.client, server)) : []
    const candidates = known.length > 0 ? known : servers
    if (zone !== null) for (const server of candidates) this.noteService(server, t.client, zone)
    // A query that comes in through an interface was sent by a pod or another host, not by a forwarder of this one.
    if (direct || candidates.length === 0 || t.direction === INCOMING || t.direction === OTHER_HOST) return
    for (const server of candidates) this.vote(t.client, server, !isCopied)
  }

  private isProven(source: AddressId, server: AddressId): boolean {
    return (this.votes.get(source)?.get(server)?.alone ?? 0) >= ENOUGH_VOTES
  }

  /** The cluster domain behind the name of a service; null for any other name. */
  private zoneOf({ qname }: Transaction): string | null {
    return qname !== NONE && this.names.isService(qname) ? zoneBehindService(this.names.text(qname)) : null
  }

  /** A response that came just before one of `server` to the same question (forwarded-answers.ts). */
  noteAnswer(got: Transaction, server: AddressId): void {
    const zone = this.zoneOf(got)
    if (zone !== null) this.noteService(server, got.client, zone)
    if (server !== got.client) this.vote(got.client, server, true)
  }

  /** A coincidence that speaks for it that the forwarder that answers on `server` asks from `source`; `alone`: and for no other one. */
  private vote(source: AddressId, server: AddressId, alone: boolean): void {
    let votes = this.votes.get(source)
    if (!votes) {
      votes = new Map()
      this.votes.set(source, votes)
    }
    const known = votes.get(server)
    if (known) {
      known.all++
      if (alone) known.alone++
    } else votes.set(server, { all: 1, alone: alone ? 1 : 0 })
    const sources = this.sources.get(server)
    if (sources) sources.add(source)
    else this.sources.set(server, new Set([source]))
  }

  /** True if `source` is known as the address from which the forwarder that answers on `server` asks. */
  asksFrom(server: AddressId, source: AddressId): boolean {
    if (this.twins.areOne(server, source)) return true
    const votes = this.votes.get(source)
    const n = votes?.get(server)?.all ?? 0
    if (votes === undefined || n < ENOUGH_VOTES) return false
    const enough = ENOUGH_SHARE * (this.asked[source] ?? 0)
    if (n >= enough) return true
    // A cache that answers on a second address, where few ask it, goes on from the same one.
    return n >= ENOUGH_SHARE * (this.serves[server] ?? 0) && mostOf(votes) >= enough
  }

  /** The addresses other than its own from which the forwarder that answers on `server` asks. */
  sourcesOf(server: AddressId): AddressId[] {
    const sources = [...(this.sources.get(server) ?? [])].filter(
      source => source !== server && this.asksFrom(server, source),
    )
    const twin = this.twins.of(server)
    // Two addresses that are only asked make no forwarder of a server.
    return twin === NONE || this.asked[twin] === undefined || sources.includes(twin) ? sources : [...sources, twin]
  }

  /** The answering addresses of the forwarder that asks from `source`. */
  forwardersAt(source: AddressId): readonly AddressId[] {
    const votes = this.votes.get(source)
    const twin = this.twins.of(source)
    const servers = twin !== NONE && this.serves[twin] > 0 && !(this.serves[source] > 0) ? [twin] : NOBODY
    if (votes === undefined) return servers
    return [...servers, ...[...votes.keys()].filter(server => server !== twin && this.asksFrom(server, source))]
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

  /** Links a transaction, after all of its batch were observed, to what caused it. */
  link(t: Transaction): void {
    const { enclosing } = t
    t.enclosing = null
    if (enclosing === null || t.infrastructure) return
    const cause = chooseCause(this.possible(enclosing, t), t)
    // What a forwarder still tries for an answer that nobody waits for any more is its own affair.
    if (cause?.isTold) t.infrastructure = true
    if (t.infrastructure || !attach(t, cause)) return
    if (cause !== null && this.twins.areOne(cause.server, t.client))
      this.forwarded[t.client] = (this.forwarded[t.client] ?? 0) + 1
  }

  /**
   * True of a server that asks on from its own address: what else it asks, it asks for somebody whose query was not captured. A server whose
   * pod asks for itself as well has more that nobody caused.
   */
  isForwarder(address: AddressId): boolean {
    const forwarded = this.forwarded[address] ?? 0
    return forwarded >= ENOUGH_FORWARDED && forwarded * MOST_OWN >= this.asked[address]
  }

  /**
   * Links what asks for another name than its client did: the target of an ExternalName service, or what autopath tries on the server.
   * Both show in the answer, whose CNAME leads to the name. Takes all transactions in order of start, after `link`; `suffixes` are the
   * known search domains.
   */
  linkRenamed(t: Transaction, suffixes: readonly string[]): void {
    if (t.cname !== NONE) this.renamed.remember(t)
    if (t.causes || t.infrastructure || t.qname === NONE || this.renamed.isEmpty) return
    if (this.serves[t.client] === undefined && !this.votes.has(t.client)) return
    if (attach(t, chooseCause(this.possible(this.renamed.enclosing(t.qname, t), t), t))) return
    const name = this.names.text(t.qname)
    for (const suffix of suffixes) {
      if (!endsWithSuffix(name, suffix)) continue
      const base = this.names.find(withoutSuffix(name, suffix))
      if (base === NONE) continue
      if (attach(t, chooseCause(this.possible(this.renamed.enclosing(base, t), t), t))) return
    }
  }

  private possible(enclosing: Transaction[], t: Transaction): Transaction[] {
    return enclosing.filter(c => !c.infrastructure && this.asksFrom(c.server, t.client) && !this.isCopy(c, t))
  }

  /** One client asks two servers, perhaps from two addresses: a copy or a failover, not a forwarder at work. */
  private isCopy(c: Transaction, t: Transaction): boolean {
    if (c.dnsId !== t.dnsId && c.clientPort !== t.clientPort) return false
    return this.twins.areOne(c.client, t.client)
  }

  /** Health checks and loop probes: what forwarders ask for themselves (H10). */
  private isInfrastructure(t: Transaction): boolean {
    if (t.qname === NONE) return true
    if (t.qtype === NS) return this.names.text(t.qname) === ''
    return t.qtype === HINFO && this.loopName.test(this.names.text(t.qname))
  }
}

/** Forwarders choose an id of their own, so it is one client that asked twice, the second time behind SNAT; that ids agree by chance is rare. */
const haveOneId = (c: Transaction, t: Transaction): boolean => c.dnsId === t.dnsId && t.dnsId >= 0

function mostOf(votes: ReadonlyMap<AddressId, Votes>): number {
  let most = 0
  for (const { all } of votes.values()) if (all > most) most = all
  return most
}

/** Chains by question, a power of two: as many questions as are open at once on a busy server. */
const CHAINS = 4096
/** The oldest leave a chain that is longer: in a flood of one question nobody could tell anyway which of them caused what. */
const MOST_WAITING = 256
const MOST_WAITING_IN_ALL = 40_000

/**
 * What a forwarder may be working on, by question, in chains whose links are fields of the transactions. They come in order of start, so
 * one that has ended before the latest began is never asked for again: a chain is as long as its questions are open.
 */
class Waiting {
  private readonly chains = new Array<Transaction | null>(CHAINS).fill(null)
  private readonly ends = new Array<Transaction | null>(CHAINS).fill(null)
  private readonly lengths = new Int32Array(CHAINS)
  private length = 0
  /** What is looked at again: a question that nobody asks again would stay for ever. Most are answered by then, ... */
  private readonly soon = new Reviews(REVIEW)
  /** ... and what is not may be silent to the end. */
  private readonly later = new Reviews(BUDGET / 4)
  private readonly transactions: Transactions
  private readonly twins: Twins

  constructor(transactions: Transactions, twins: Twins) {
    this.transactions = transactions
    this.twins = twins
  }

  /** The transactions with the same question during whose wait this one began, another server's; null without. */
  enclosing(t: Transaction): Transaction[] | null {
    const { chains } = this
    const chain = chainOf(t)
    let found: Transaction[] | null = null
    let before: Transaction | null = null
    let next: Transaction | null = null
    for (let c = chains[chain]; c !== null; c = next) {
      next = c.nextWaiting
      if (isOver(c, t.start)) {
        this.unlink(c, before, chain)
        continue
      }
      before = c
      if (c.qname !== t.qname || c.qtype !== t.qtype || !mayCause(c, t) || this.twins.areOne(c.server, t.server))
        continue
      if (found) found.push(c)
      else found = [c]
    }
    return found
  }

  /** In order of start: the chain's last. */
  remember(t: Transaction): void {
    const chain = chainOf(t)
    const first = this.chains[chain]
    if (first !== null && this.lengths[chain] >= MOST_WAITING) this.unlink(first, null, chain)
    const last = this.ends[chain]
    if (last === null) this.chains[chain] = t
    else last.nextWaiting = t
    this.ends[chain] = t
    this.lengths[chain]++
    this.length++
    t.isWaiting = true
    t.holders++
    this.review(t.start)
    this.soon.add(t, t.start)
  }

  private review(now: Time): void {
    const { soon, later } = this
    for (let t = soon.take(now); t !== null; t = soon.take(now)) this.removeOrKeep(t, now)
    for (let t = later.take(now); t !== null; t = later.take(now)) this.removeOrKeep(t, now)
    // In a flood the oldest go.
    while (this.length > MOST_WAITING_IN_ALL) {
      const oldest = later.take(Number.POSITIVE_INFINITY) ?? soon.take(Number.POSITIVE_INFINITY)
      if (oldest === null) return
      if (oldest.isWaiting) this.remove(oldest)
    }
  }

  private removeOrKeep(t: Transaction, now: Time): void {
    if (!t.isWaiting) return
    if (isOver(t, now)) this.remove(t)
    else this.later.add(t, now)
  }

  private remove(t: Transaction): void {
    const chain = chainOf(t)
    let before: Transaction | null = null
    for (let c = this.chains[chain]; c !== null; before = c, c = c.nextWaiting) {
      if (c !== t) continue
      this.unlink(t, before, chain)
      return
    }
  }

  /** Takes `t`, which stands behind `before`, out of its chain. */
  private unlink(t: Transaction, before: Transaction | null, chain: number): void {
    if (before === null) this.chains[chain] = t.nextWaiting
    else before.nextWaiting = t.nextWaiting
    if (t.nextWaiting === null) this.ends[chain] = before
    this.lengths[chain]--
    this.length--
    t.nextWaiting = null
    t.isWaiting = false
    this.transactions.release(t)
  }
}

/** The same by the name to which an answer's CNAME leads: few, and most captures have none. */
class Renamed {
  private readonly byQuestion = new Map<number, Transaction[]>()
  private swept: Time = 0

  get isEmpty(): boolean {
    return this.byQuestion.size === 0
  }

  enclosing(qname: NameId, t: Transaction): Transaction[] {
    const same = this.byQuestion.get(questionOf(qname, t.qtype))
    if (!same) return NOTHING
    return same.filter(c => !isOver(c, t.start) && mayCause(c, t))
  }

  remember(t: Transaction): void {
    kept(t)
    if (t.start - this.swept > SWEEP) this.sweep(t.start)
    const question = questionOf(t.cname, t.qtype)
    const same = this.byQuestion.get(question)
    if (same) same.push(t)
    else this.byQuestion.set(question, [t])
  }

  private sweep(now: Time): void {
    this.swept = now
    for (const [question, same] of this.byQuestion) {
      const open = same.filter(c => !isOver(c, now))
      if (open.length === 0) this.byQuestion.delete(question)
      else this.byQuestion.set(question, open)
    }
  }
}

/** After this most are answered. They are still in the processor's cache then: looked at after 0.3 s they took a twentieth of all time. */
const REVIEW: Time = 0.04e9
/** How often it is looked for answered ones whose answers were CNAMEs. */
const SWEEP: Time = 0.3e9

/** True if the question came while another server's client waited for it; nobody asks on by way of the one who asked. */
const mayCause = (c: Transaction, t: Transaction): boolean =>
  c.server !== t.server &&
  c.client !== t.server &&
  c.start <= t.start + CLOCK_SLACK &&
  c.state !== UNREACHED &&
  (c.dnsId !== t.dnsId || c.clientPort !== t.clientPort)

/** True if no forwarder works on it any more. One that was asked twice and answered once goes on working for the second. */
const isOver = (c: Transaction, now: Time): boolean =>
  (c.retransmissions === 0 && hasAnswered(c, now)) || now - c.lastQuery > BUDGET

const NOTHING: Transaction[] = []
const NOBODY: readonly AddressId[] = []

/** A name and a type as one number. */
export const questionOf = (qname: NameId, qtype: number): number => (qname + 1) * 0x1_0000 + (qtype & 0xffff)

function chainOf({ qname, qtype }: Transaction): number {
  const hash = Math.imul(qname, 0x9e37_79b1) ^ Math.imul(qtype, 0x85eb_ca6b)
  return (hash ^ (hash >>> 15)) & (CHAINS - 1)
}

/** cluster.local of web.shop.svc.cluster.local; null for a name that is no service's. */
export function zoneBehindService(name: string): string | null {
  const at = name.lastIndexOf('.svc.')
  return at < 0 ? null : name.slice(at + 5)
}

/** Notes that `cause` made its server ask `t`; false without a cause. */
export function attach(t: Transaction, cause: Transaction | null): boolean {
  if (!cause) return false
  t.causes = [cause]
  if (cause.effects) cause.effects.push(t)
  else cause.effects = [t]
  return true
}
