/**
 * Finds the clients that waited for a query which their forwarder had sent for somebody else: dnsmasq, unbound and others ask once for
 * all that want the same at one time (H9). CoreDNS asks for each, so what sets AA on its cached answers is left alone. Who waits longer
 * than a batch is looked at again when the answer is there.
 */
import { NONE, type Time } from '../model.ts'
import { type Forwarding, questionOf } from './forwarding.ts'
import type { Serving } from './serving.ts'
import { ANSWERED, CAPTURE_ENDED, CLOCK_SLACK, OPEN, type Transaction, UNANSWERED } from './transaction.ts'
import { kept, type Transactions } from './transactions.ts'

/** All who wait are answered within this after the one answer came. */
const PROMPT: Time = 50e6
/** After this a forwarder has given up, or asked anew. */
const BUDGET: Time = 10e9
/** The oldest are not looked at again where more wait, in all or for one question: in a flood nobody could tell anyway. */
const MOST_WAITING = 10_000
const MOST_WAITING_FOR_ONE = 256
/** Who asks for one thing so often at once asks for each client; the latest are looked at. */
const MOST_ASKED = 32

/** One question. */
interface Asked {
  /** Open queries of forwarders. */
  queries: Transaction[]
  /** Who asked while such a query was open, and has no answer yet. */
  waiting: Transaction[]
}

export class Sharing {
  /** What forwarders ask for somebody, while others may wait for it too. */
  private readonly asked = new Map<number, Asked>()
  private waiting = 0
  private readonly forwarding: Forwarding
  private readonly serving: Serving
  private readonly transactions: Transactions

  constructor(forwarding: Forwarding, serving: Serving, transactions: Transactions) {
    this.forwarding = forwarding
    this.serving = serving
    this.transactions = transactions
  }

  /** Takes a batch in order of start, when everything else is linked. */
  link(batch: readonly Transaction[]): void {
    for (const t of batch) {
      if (!t.causes || this.serving.isCoredns(t.causes[0].server)) continue
      t.holders++
      const question = questionOf(t.qname, t.qtype)
      let asked = this.asked.get(question)
      if (!asked) {
        asked = { queries: [], waiting: [] }
        this.asked.set(question, asked)
      }
      asked.queries.push(t)
      if (asked.queries.length > MOST_ASKED) this.transactions.release(asked.queries.shift() as Transaction)
    }
    if (this.asked.size === 0) return
    const now = batch.at(-1)?.start ?? Number.NEGATIVE_INFINITY
    if (this.waiting > 0)
      for (const asked of this.asked.values()) if (asked.waiting.length > 0) this.lookAgain(asked, now)
    for (const t of batch) {
      if (t.effects || t.qname === NONE) continue
      const asked = this.asked.get(questionOf(t.qname, t.qtype))
      if (!asked || this.join(t, asked) || !this.mayJoin(t, asked) || this.waiting >= MOST_WAITING) continue
      t.holders++
      asked.waiting.push(t)
      this.waiting++
    }
    this.forget(now)
  }

  private lookAgain(asked: Asked, now: Time): void {
    const { waiting } = asked
    const surplus = waiting.length - MOST_WAITING_FOR_ONE
    let n = 0
    for (const [i, t] of waiting.entries()) {
      const isOver = i < surplus || t.isTold || t.effects !== null || this.join(t, asked)
      if (isOver || t.state !== OPEN || now - t.lastQuery > BUDGET) this.letGo(t)
      else waiting[n++] = t
    }
    waiting.length = n
  }

  private letGo(t: Transaction): void {
    this.waiting--
    this.transactions.release(t)
  }

  /** Queries for which nobody who comes can have waited. */
  private forget(now: Time): void {
    for (const [question, asked] of this.asked) {
      const { queries } = asked
      let n = 0
      for (const query of queries) {
        if (mayHaveWaiters(query, now)) queries[n++] = query
        else this.transactions.release(query)
      }
      queries.length = n
      if (n > 0) continue
      for (const t of asked.waiting) this.letGo(t)
      this.asked.delete(question)
    }
  }

  /** True if it waited for a query of somebody else. */
  private join(t: Transaction, { queries }: Asked): boolean {
    const query = queries.find(query => this.waitedFor(t, query))
    if (!query) return false
    query.causes?.push(kept(t))
    // Its first asker may be told before the others are.
    t.effects = [kept(query)]
    return true
  }

  /** True where only its answer can tell. */
  private mayJoin(t: Transaction, { queries }: Asked): boolean {
    return t.state === OPEN && queries.some(query => this.couldWaitFor(t, query) && !(t.start > query.end))
  }

  private waitedFor(t: Transaction, query: Transaction): boolean {
    if (!this.couldWaitFor(t, query)) return false
    if (query.state === ANSWERED)
      return t.state === ANSWERED && t.start <= query.end && t.end >= query.end && t.end - query.end <= PROMPT
    // Both wait for what never comes.
    return isSilent(query) && isSilent(t) && t.start - query.lastQuery <= PROMPT
  }

  private couldWaitFor(t: Transaction, query: Transaction): boolean {
    if (query === t || query.causes?.[0] === t || !this.forwarding.asksFrom(t.server, query.client)) return false
    return t.start >= query.start - CLOCK_SLACK && !this.serving.isCoredns(t.server)
  }
}

const isSilent = ({ state }: Transaction): boolean => state === OPEN || state === UNANSWERED || state === CAPTURE_ENDED

const mayHaveWaiters = (query: Transaction, now: Time): boolean =>
  !(query.end + PROMPT < now) && now - query.lastQuery <= BUDGET
