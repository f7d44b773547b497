/**
 * The transactions that a message may still belong to: by client address, port and DNS id, and the latest by question and id. Its size
 * depends on what is open and on the last second, never on the capture's length.
 *
 * Two chained hash tables whose links are fields of the transactions: a Map with numbers above 2^31 for keys makes an object of each
 * key, and took a fifth of the time of matching.
 */
import { type AddressId, type NameId, NONE, type Time } from '../model.ts'
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
/** How often it is looked for what has lingered long enough. */
const SWEEP: Time = LINGER / 8
/** Chains at the beginning, a power of two; doubled when there are as many transactions. */
const FIRST_CHAINS = 4096

type Chains = (Transaction | null)[]

export class OpenTable {
  /** By client, port and id: the latest first. */
  private byClient: Chains = newChains(FIRST_CHAINS)
  /** By question and id: the latest of each. */
  private byQuestion: Chains = newChains(FIRST_CHAINS)
  private size = 0
  /** Transactions behind SNAT under their other address: few. */
  private readonly aliases = new Map<number, Transaction[]>()
  /** What `find` has found; an array per message would cost more than the look-up. */
  readonly found: Transaction[] = []
  /** In order of start; those that were answered meanwhile are weeded out now and then. */
  private open: Transaction[] = []
  private openCount = 0
  /** Queries that were given up for want of room: whether they were answered is not known. */
  givenUp = 0
  private lingering: Transaction[] = []
  private lingeringHead = 0
  private swept: Time = Number.NEGATIVE_INFINITY
  private readonly transactions: Transactions

  constructor(transactions: Transactions) {
    this.transactions = transactions
  }

  /** All that wait for a response, and some that do not any more: look at `state`. */
  get pending(): readonly Transaction[] {
    return this.open
  }

  /** Puts the transactions that a message of this client may belong to into `found`, the latest first, and returns how many. */
  find(client: AddressId, port: number, dnsId: number): number {
    const id = dnsId & 0xffff
    const { byClient, found } = this
    let n = 0
    for (let t = byClient[chainOf(client, port, id) & (byClient.length - 1)]; t !== null; t = t.next) {
      if (t.keyClient === client && t.keyPort === port && (t.dnsId & 0xffff) === id) found[n++] = t
    }
    if (this.aliases.size > 0) {
      const aliases = this.aliases.get(aliasKey(client, port, dnsId))
      if (aliases) for (const t of aliases) found[n++] = t
    }
    return n
  }

  /** The latest transaction with that question and id, whatever its client: what a SNAT sighting is found by. */
  latest(qname: NameId, dnsId: number): Transaction | null {
    const id = dnsId & 0xffff
    let t = this.byQuestion[chainOf(qname, id, 0) & (this.byQuestion.length - 1)]
    while (t !== null && !(t.keyName === qname && (t.dnsId & 0xffff) === id)) t = t.nextOfName
    return t
  }

  add(t: Transaction): void {
    t.keyClient = t.client
    t.keyPort = t.clientPort
    t.keyName = t.qname
    if (++this.size > this.byClient.length) this.grow()
    this.linkClient(t)
    this.renew(t)
    // One that is used again may still stand there from before.
    if (!t.isListed) this.open.push(t)
    t.isListed = true
    this.openCount++
    if (this.openCount > MOST_OPEN) this.giveUp(MOST_OPEN / 4)
  }

  /** Gives up the oldest queries that wait. */
  private giveUp(most: number): void {
    const still: Transaction[] = []
    let left = most
    for (const t of this.open) {
      t.isListed = false
      if (t.state !== OPEN) continue
      if (left-- > 0) {
        const waited = this.swept - t.lastQuery >= LONG_ENOUGH
        t.state = waited ? UNANSWERED : CAPTURE_ENDED
        if (!waited) this.givenUp++
        this.openCount--
        this.forget(t)
        continue
      }
      t.isListed = true
      still.push(t)
    }
    this.open = still
  }

  /** The transaction is known under another client address too. */
  alias(client: AddressId, port: number, t: Transaction): void {
    const key = aliasKey(client, port, t.dnsId)
    const bucket = this.aliases.get(key)
    if (bucket === undefined) this.aliases.set(key, [t])
    else bucket.push(t)
    t.aliasKey = key
  }

  /** It was sent, or sent again: it is the latest with its question. */
  renew(t: Transaction): void {
    const known = this.latest(t.keyName, t.dnsId)
    if (known === t) return
    if (known !== null) this.unlinkQuestion(known)
    this.linkQuestion(t)
  }

  /** Its response came. */
  closed(t: Transaction): void {
    this.openCount--
    this.lingering.push(t)
    if (this.lingering.length - this.lingeringHead > MOST_LINGERING) this.forget(this.lingering[this.lingeringHead++])
  }

  clear(): void {
    this.byClient = newChains(FIRST_CHAINS)
    this.byQuestion = newChains(FIRST_CHAINS)
    this.size = 0
    this.aliases.clear()
    this.open = []
    this.openCount = 0
    this.lingering = []
    this.lingeringHead = 0
  }

  /** Forgets what was answered a while ago and gives up on what is too old. Amortised: each transaction is visited a few times. */
  sweep(now: Time): void {
    if (now - this.swept < SWEEP) return
    this.swept = now
    const { lingering } = this
    let head = this.lingeringHead
    while (head < lingering.length && !(now - lingering[head].end <= LINGER)) this.forget(lingering[head++])
    if (head > 4096 && head * 2 > lingering.length) {
      this.lingering = lingering.slice(head)
      head = 0
    }
    this.lingeringHead = head
    const [oldest] = this.open
    if (this.open.length <= 2 * this.openCount + 4096 && !(oldest && now - oldest.lastQuery > QUERY_TIMEOUT)) return
    const still: Transaction[] = []
    for (const t of this.open) {
      t.isListed = false
      if (t.state !== OPEN) continue
      if (now - t.lastQuery > QUERY_TIMEOUT) {
        t.state = UNANSWERED
        this.openCount--
        this.forget(t)
        continue
      }
      t.isListed = true
      still.push(t)
    }
    this.open = still
  }

  private forget(t: Transaction): void {
    this.size--
    const { byClient } = this
    const chain = chainOf(t.keyClient, t.keyPort, t.dnsId & 0xffff) & (byClient.length - 1)
    if (byClient[chain] === t) byClient[chain] = t.next
    else {
      for (let before = byClient[chain]; before !== null; before = before.next) {
        if (before.next === t) {
          before.next = t.next
          break
        }
      }
    }
    t.next = null
    this.unlinkQuestion(t)
    if (t.aliasKey !== NONE) this.forgetAlias(t)
    this.transactions.release(t)
  }

  private linkClient(t: Transaction): void {
    const { byClient } = this
    const chain = chainOf(t.keyClient, t.keyPort, t.dnsId & 0xffff) & (byClient.length - 1)
    t.next = byClient[chain]
    byClient[chain] = t
  }

  private linkQuestion(t: Transaction): void {
    const { byQuestion } = this
    const chain = chainOf(t.keyName, t.dnsId & 0xffff, 0) & (byQuestion.length - 1)
    t.nextOfName = byQuestion[chain]
    byQuestion[chain] = t
  }

  /** Nothing happens where another transaction has taken its place. */
  private unlinkQuestion(t: Transaction): void {
    const { byQuestion } = this
    const chain = chainOf(t.keyName, t.dnsId & 0xffff, 0) & (byQuestion.length - 1)
    if (byQuestion[chain] === t) byQuestion[chain] = t.nextOfName
    else {
      for (let before = byQuestion[chain]; before !== null; before = before.nextOfName) {
        if (before.nextOfName === t) {
          before.nextOfName = t.nextOfName
          break
        }
      }
    }
    t.nextOfName = null
  }

  /** Twice as many chains, each in its old order. */
  private grow(): void {
    const { byClient, byQuestion } = this
    this.byClient = newChains(byClient.length * 2)
    this.byQuestion = newChains(byQuestion.length * 2)
    const chain: Transaction[] = []
    for (const first of byClient) {
      chain.length = 0
      for (let t = first; t !== null; t = t.next) chain.push(t)
      for (let i = chain.length - 1; i >= 0; i--) this.linkClient(chain[i])
    }
    for (const first of byQuestion) {
      chain.length = 0
      for (let t = first; t !== null; t = t.nextOfName) chain.push(t)
      for (let i = chain.length - 1; i >= 0; i--) this.linkQuestion(chain[i])
    }
  }

  private forgetAlias(t: Transaction): void {
    const bucket = this.aliases.get(t.aliasKey)
    if (bucket === undefined) return
    const at = bucket.indexOf(t)
    if (at >= 0) bucket.splice(at, 1)
    if (bucket.length === 0) this.aliases.delete(t.aliasKey)
  }
}

const newChains = (n: number): Chains => new Array<Transaction | null>(n).fill(null)

/** A hash of three numbers; its low bits choose the chain. */
function chainOf(a: number, b: number, c: number): number {
  let hash = Math.imul(a ^ 0x9e37, 0x85eb_ca6b) ^ Math.imul(b, 0x9e37_79b1) ^ Math.imul(c, 0xc2b2_ae35)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d)
  return hash ^ (hash >>> 13)
}

/** Address ids stay far below 2^21, so the key is an exact double. */
const aliasKey = (address: AddressId, port: number, dnsId: number): number =>
  address * 0x1_0000_0000 + port * 0x1_0000 + (dnsId & 0xffff)
