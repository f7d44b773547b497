/**
 * The transactions that a message may still belong to: by client address, port and DNS id, and the latest by question and id. Its size
 * depends on what is open and on the last second, never on the capture's length.
 */
import { type AddressId, type NameId, NONE, type Time } from '../model.ts'
import { OPEN, type Transaction, UNANSWERED } from './transaction.ts'

/** A query that was not answered within this after it was last sent never will be (stub resolvers use 1 to 30 s, mostly 5). */
const QUERY_TIMEOUT: Time = 30e9
/** How long after its response a transaction waits for further sightings and second responses. */
const LINGER: Time = 1e9

export class OpenTable {
  /** First of the transactions with a client, port and id; the others hang on Transaction.next. Most have no other. */
  private readonly byClient = new Map<number, Transaction>()
  /** Transactions behind SNAT under their other address: few. */
  private readonly aliases = new Map<number, Transaction[]>()
  /** What `of` returns, filled anew each time: an array per message would cost more than the look-up. */
  private readonly found: Transaction[] = []
  private readonly byQuestion = new Map<number, Transaction>()
  /** In order of start; those that were answered meanwhile are weeded out now and then. */
  private open: Transaction[] = []
  private openCount = 0
  private lingering: Transaction[] = []
  private lingeringHead = 0
  private swept: Time = Number.NEGATIVE_INFINITY

  /** All that wait for a response, and some that do not any more: look at `state`. */
  get pending(): readonly Transaction[] {
    return this.open
  }

  /** The transactions that a message of this client may belong to, the latest first. Valid until the next call. */
  of(client: AddressId, port: number, dnsId: number): readonly Transaction[] {
    const key = clientKey(client, port, dnsId)
    const { found } = this
    found.length = 0
    for (let t = this.byClient.get(key); t; t = t.next ?? undefined) found.push(t)
    if (this.aliases.size > 0) {
      const aliases = this.aliases.get(key)
      if (aliases) found.push(...aliases)
    }
    return found
  }

  /** The latest transaction with that question and id, whatever its client: what a SNAT sighting is found by. */
  latest(qname: NameId, dnsId: number): Transaction | null {
    return this.byQuestion.get(questionKey(qname, dnsId)) ?? null
  }

  add(t: Transaction): void {
    t.key = clientKey(t.client, t.clientPort, t.dnsId)
    t.next = this.byClient.get(t.key) ?? null
    this.byClient.set(t.key, t)
    this.renew(t)
    this.open.push(t)
    this.openCount++
  }

  /** The transaction is known under another client address too. */
  alias(client: AddressId, port: number, t: Transaction): void {
    const key = clientKey(client, port, t.dnsId)
    const bucket = this.aliases.get(key)
    if (bucket === undefined) this.aliases.set(key, [t])
    else bucket.push(t)
    t.aliasKey = key
  }

  /** Its query was sent again: it is the latest with its question once more. */
  renew(t: Transaction): void {
    this.byQuestion.set(questionKey(t.qname, t.dnsId), t)
  }

  /** Its response came. */
  closed(t: Transaction): void {
    this.openCount--
    this.lingering.push(t)
  }

  clear(): void {
    this.byClient.clear()
    this.aliases.clear()
    this.byQuestion.clear()
    this.open = []
    this.openCount = 0
    this.lingering = []
    this.lingeringHead = 0
  }

  /** Forgets what was answered a while ago and gives up on what is too old. Amortised: each transaction is visited a few times. */
  sweep(now: Time): void {
    if (now - this.swept < LINGER) return
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
      if (t.state !== OPEN) continue
      if (now - t.lastQuery > QUERY_TIMEOUT) {
        t.state = UNANSWERED
        this.openCount--
        this.forget(t)
      } else still.push(t)
    }
    this.open = still
  }

  private forget(t: Transaction): void {
    const first = this.byClient.get(t.key)
    if (first === t) {
      if (t.next) this.byClient.set(t.key, t.next)
      else this.byClient.delete(t.key)
    } else {
      for (let before = first; before; before = before.next ?? undefined) {
        if (before.next === t) {
          before.next = t.next
          break
        }
      }
    }
    t.next = null
    if (t.aliasKey !== NONE) this.forgetAlias(t)
    const question = questionKey(t.qname, t.dnsId)
    if (this.byQuestion.get(question) === t) this.byQuestion.delete(question)
  }

  private forgetAlias(t: Transaction): void {
    const bucket = this.aliases.get(t.aliasKey)
    if (bucket === undefined) return
    const at = bucket.indexOf(t)
    if (at >= 0) bucket.splice(at, 1)
    if (bucket.length === 0) this.aliases.delete(t.aliasKey)
  }
}

/** Address ids stay far below 2^21, so the key is an exact double. */
const clientKey = (address: AddressId, port: number, dnsId: number): number =>
  address * 0x1_0000_0000 + port * 0x1_0000 + (dnsId & 0xffff)

const questionKey = (qname: NameId, dnsId: number): number => (qname + 1) * 0x1_0000 + (dnsId & 0xffff)
