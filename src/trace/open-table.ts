/**
 * The transactions that a message may still belong to: by client address, port and DNS id, and the latest by question and id. Its size
 * depends on what is open and on the last second, never on the capture's length.
 *
 * A hash table of numbers in columns, as a Map with numbers above 2^31 for keys makes an object of each key. Each transaction has a slot
 * there while it is in the table: to find one, or those that are too old, nobody has to look at the others, of which each stands in memory
 * that the processor has long forgotten.
 */
import { type AddressId, type NameId, NONE, type Time } from '../model.ts'
import { LatestQuestions } from './latest-questions.ts'
import { chainOf, doubled, NOTHING } from './slots.ts'
import { CAPTURE_ENDED, OPEN, type Transaction, UNANSWERED } from './transaction.ts'
import type { Transactions } from './transactions.ts'

/** A query that was not answered within this after it was last sent never will be (stub resolvers use 1 to 30 s, mostly 5). */
const QUERY_TIMEOUT: Time = 30e9
/** How long after its response a transaction waits for further sightings and second responses. */
const LINGER: Time = 1e9
/**
 * Queries that wait for a response: where there are more at once, the oldest are given up. A cluster whose DNS is dead sends a few
 * thousand a second, and each takes more than a kilobyte until its lookup is closed.
 */
const MOST_OPEN = 40_000
/** Given up after this, a query was not answered: it is what most stub resolvers wait for. */
const LONG_ENOUGH: Time = 5e9
/** Answered ones that linger: what a very busy server answers in a second. */
const MOST_LINGERING = 100_000
/** Open ones of one client, port and id: of a client that gives each query the same only the latest are told apart. */
const MOST_ALIKE = 128
/** A query that was sent again is answered twice where it was slow; forwarders give up by then. */
const LONG_ANSWER: Time = 7e9
/** How often it is looked for what has lingered long enough. */
const SWEEP: Time = LINGER / 8
/** Slots, and chains, at the beginning: a power of two. */
const FIRST_SLOTS = 4096

// Two rings of slots, each of which begins and ends at a slot of its own.
/** Those that wait for a response, in the order in which they were last sent. */
const WAITING = 0
/** Those that were answered, in that order. */
const LINGERING = 1

export class OpenTable {
  // By slot.
  private held: (Transaction | null)[] = [null, null]
  private clients = new Int32Array(FIRST_SLOTS)
  private portsAndIds = new Int32Array(FIRST_SLOTS)
  /** The next one in its chain, and the one before; of a free slot the next free one. */
  private next = new Int32Array(FIRST_SLOTS)
  private previous = new Int32Array(FIRST_SLOTS)
  private before = Int32Array.from({ length: FIRST_SLOTS }, (_, slot) => slot)
  private after = Int32Array.from({ length: FIRST_SLOTS }, (_, slot) => slot)
  /** When the response came. */
  private ends = new Float64Array(FIRST_SLOTS)
  /** By the hash of client, port and id: the latest first. */
  private chains = new Int32Array(FIRST_SLOTS)
  private free = NOTHING
  /** By question and id; null until somebody asks. */
  private questions: LatestQuestions | null = null
  /** Transactions behind SNAT under their other address: few. */
  private readonly aliases = new Map<number, Transaction[]>()
  /** What `find` has found; an array per message would cost more than the look-up. */
  readonly found: Transaction[] = []
  private waiting = 0
  private lingering = 0
  /** Queries that were given up for want of room: whether they were answered is not known. */
  givenUp = 0
  private swept: Time = Number.NEGATIVE_INFINITY
  private readonly transactions: Transactions

  constructor(transactions: Transactions) {
    this.transactions = transactions
  }

  /** All that wait for a response. */
  get pending(): Transaction[] {
    const pending: Transaction[] = []
    const { after } = this
    for (let slot = after[WAITING]; slot !== WAITING; slot = after[slot]) pending.push(this.at(slot))
    return pending
  }

  /** Puts the transactions that a message of this client may belong to into `found`, the latest first, and returns how many. */
  find(client: AddressId, port: number, dnsId: number): number {
    const portAndId = keyOf(port, dnsId)
    const { chains, next, clients, portsAndIds, found } = this
    let n = 0
    for (let slot = chains[chainOf(client, portAndId) & (chains.length - 1)]; slot !== NOTHING; slot = next[slot]) {
      if (portsAndIds[slot] !== portAndId || clients[slot] !== client) continue
      found[n++] = this.at(slot)
      if (n === MOST_ALIKE) break
    }
    if (this.aliases.size > 0) {
      const aliases = this.aliases.get(aliasKey(client, port, dnsId))
      if (aliases) for (const t of aliases) found[n++] = t
    }
    return n
  }

  /** The latest transaction with that question and id, whatever its client: what a SNAT sighting is found by. */
  latest(qname: NameId, dnsId: number): Transaction | null {
    this.questions ??= this.questionsSoFar()
    return this.held[this.questions.latest(qname, dnsId & 0xffff)]
  }

  add(t: Transaction): void {
    const slot = this.takeSlot()
    t.slot = slot
    this.held[slot] = t
    this.clients[slot] = t.client
    this.portsAndIds[slot] = keyOf(t.clientPort, t.dnsId)
    this.linkClient(slot)
    this.questions?.add(slot, t.qname, t.dnsId & 0xffff)
    this.enter(slot, WAITING)
    if (++this.waiting > MOST_OPEN) this.giveUp(MOST_OPEN / 4)
  }

  /** Gives up the oldest queries that wait. */
  private giveUp(most: number): void {
    for (let left = most; left > 0; left--) {
      const slot = this.after[WAITING]
      const t = this.at(slot)
      if (t.state === OPEN) {
        const waited = this.swept - t.lastQuery >= LONG_ENOUGH
        t.state = waited ? UNANSWERED : CAPTURE_ENDED
        if (!waited) this.givenUp++
      }
      this.waiting--
      this.forget(slot)
    }
  }

  /** The transaction is known under another client address too. */
  alias(client: AddressId, port: number, t: Transaction): void {
    const key = aliasKey(client, port, t.dnsId)
    const bucket = this.aliases.get(key)
    if (bucket === undefined) this.aliases.set(key, [t])
    else bucket.push(t)
    t.aliasKey = key
  }

  /** It was sent again: it is the latest with its question. */
  renew(t: Transaction): void {
    this.leave(t.slot)
    this.enter(t.slot, WAITING)
    this.questions?.renew(t.slot)
  }

  /** Its response, or the error in its place, came then. */
  close(t: Transaction, time: Time): void {
    const { slot } = t
    t.end = t.responseAtServer = this.ends[slot] = time
    this.waiting--
    this.leave(slot)
    this.enter(slot, LINGERING)
    if (++this.lingering > MOST_LINGERING) this.forgetLingering()
  }

  /** Its response came at another time than was thought. */
  endMoved(t: Transaction): void {
    this.ends[t.slot] = t.end
  }

  clear(): void {
    const { after } = this
    while (after[WAITING] !== WAITING) this.forget(after[WAITING])
    while (after[LINGERING] !== LINGERING) this.forgetLingering()
    this.waiting = 0
  }

  /** Forgets what was answered a while ago and gives up on what is too old. */
  sweep(now: Time): void {
    if (now - this.swept < SWEEP) return
    this.swept = now
    const { after, ends } = this
    while (after[LINGERING] !== LINGERING && !(now - ends[after[LINGERING]] <= LINGER)) {
      const slot = after[LINGERING]
      if (this.mayBeAnsweredAgain(slot, now)) {
        ends[slot] = now
        this.leave(slot)
        this.enter(slot, LINGERING)
      } else this.forgetLingering()
    }
    while (after[WAITING] !== WAITING) {
      const t = this.at(after[WAITING])
      if (now - t.lastQuery <= QUERY_TIMEOUT) return
      if (t.state === OPEN) t.state = UNANSWERED
      this.waiting--
      this.forget(t.slot)
    }
  }

  /** It was sent more than once: the answer to the other query may still come. */
  private mayBeAnsweredAgain(slot: number, now: Time): boolean {
    const { retransmissions, lastQuery } = this.at(slot)
    return retransmissions > 0 && now - lastQuery <= LONG_ANSWER
  }

  private forgetLingering(): void {
    this.lingering--
    this.forget(this.after[LINGERING])
  }

  private forget(slot: number): void {
    const { chains, next, previous } = this
    const t = this.at(slot)
    const before = previous[slot]
    if (before !== NOTHING) next[before] = next[slot]
    else chains[chainOf(this.clients[slot], this.portsAndIds[slot]) & (chains.length - 1)] = next[slot]
    if (next[slot] !== NOTHING) previous[next[slot]] = before
    this.leave(slot)
    this.questions?.remove(slot)
    if (this.aliases.size > 0 && t.aliasKey !== NONE) this.forgetAlias(t)
    next[slot] = this.free
    this.free = slot
    this.held[slot] = null
    t.slot = NOTHING
    this.transactions.release(t)
  }

  // -- Slots -----------------------------------------------------------------------------------------------------------------------

  private at(slot: number): Transaction {
    return this.held[slot] as Transaction
  }

  private takeSlot(): number {
    const { free } = this
    if (free !== NOTHING) {
      this.free = this.next[free]
      return free
    }
    const slot = this.held.push(null) - 1
    if (slot === this.clients.length) this.grow()
    return slot
  }

  /** Twice as many slots and chains, each chain in its old order. */
  private grow(): void {
    const { chains, next, ends } = this
    this.clients = doubled(this.clients)
    this.portsAndIds = doubled(this.portsAndIds)
    this.next = doubled(next)
    this.previous = doubled(this.previous)
    this.before = doubled(this.before)
    this.after = doubled(this.after)
    this.ends = new Float64Array(ends.length * 2)
    this.ends.set(ends)
    this.chains = new Int32Array(chains.length * 2)
    const chain: number[] = []
    for (const first of chains) {
      chain.length = 0
      for (let slot = first; slot !== NOTHING; slot = next[slot]) chain.push(slot)
      for (let i = chain.length - 1; i >= 0; i--) this.linkClient(chain[i])
    }
    this.questions?.grow()
  }

  private linkClient(slot: number): void {
    const { chains } = this
    const chain = chainOf(this.clients[slot], this.portsAndIds[slot]) & (chains.length - 1)
    const first = chains[chain]
    this.next[slot] = first
    this.previous[slot] = NOTHING
    if (first !== NOTHING) this.previous[first] = slot
    chains[chain] = slot
  }

  /** Puts it at the end of a ring. */
  private enter(slot: number, ring: number): void {
    const { before, after } = this
    const last = before[ring]
    after[last] = slot
    before[slot] = last
    after[slot] = ring
    before[ring] = slot
  }

  /** Takes it out of its ring. */
  private leave(slot: number): void {
    const { before, after } = this
    after[before[slot]] = after[slot]
    before[after[slot]] = before[slot]
  }

  /** What is in the table, as if it had been followed from the beginning. */
  private questionsSoFar(): LatestQuestions {
    const questions = new LatestQuestions(this.clients.length)
    const inTable = this.held.filter(t => t !== null).sort((a, b) => a.lastQuery - b.lastQuery || a.number - b.number)
    for (const t of inTable) questions.add(t.slot, t.qname, t.dnsId & 0xffff)
    return questions
  }

  private forgetAlias(t: Transaction): void {
    const bucket = this.aliases.get(t.aliasKey)
    if (bucket === undefined) return
    const at = bucket.indexOf(t)
    if (at >= 0) bucket.splice(at, 1)
    if (bucket.length === 0) this.aliases.delete(t.aliasKey)
  }
}

const keyOf = (port: number, dnsId: number): number => (port << 16) | (dnsId & 0xffff)

/** Address ids stay far below 2^21, so the key is an exact double. */
const aliasKey = (address: AddressId, port: number, dnsId: number): number =>
  address * 0x1_0000_0000 + port * 0x1_0000 + (dnsId & 0xffff)
