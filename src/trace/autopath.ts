/**
 * Links what CoreDNS asks upstream when it walks a client's search list itself (plugin autopath): asked for base.namespace.svc.zone it
 * asks for base with each search domain in turn. Only where the walk finds an address does a CNAME in the answer tell; a walk that ends
 * in an empty answer or in nothing shows in the names and times alone.
 * https://github.com/coredns/coredns/blob/master/plugin/autopath/autopath.go
 */
import { NONE, type Time } from '../model.ts'
import type { Names } from '../wire/names.ts'
import { attach, BUDGET, type Forwarding } from './forwarding.ts'
import { answeredAt, CLOCK_SLACK, type Transaction } from './transaction.ts'
import type { Transactions } from './transactions.ts'

/** The latest that are open when a batch ends: in a flood nobody could tell anyway who walks for whom. */
const MOST_OPEN = 512

export class Autopath {
  private readonly names: Names
  private readonly forwarding: Forwarding
  private readonly transactions: Transactions
  /** What was still open when the batches before ended: its server may go on walking. In order of start. */
  private open: Transaction[] = []
  /** By address, the batch in which it was last asked, and the one in which it was last found to be no forwarder. */
  private readonly served: number[] = []
  private readonly asked: number[] = []
  private batches = 0

  constructor(names: Names, forwarding: Forwarding, transactions: Transactions) {
    this.names = names
    this.forwarding = forwarding
    this.transactions = transactions
  }

  /** Takes a batch in order of start, after everything that asks for the same name is linked. */
  link(batch: readonly Transaction[]): void {
    const unexplained = this.unexplained(batch)
    if (unexplained.size > 0) {
      /** First candidates that their server may be walking on from, by type and base. */
      const waiting = new Map<string, Transaction[]>()
      for (const c of this.open) this.wait(c, this.names.text(c.qname), waiting)
      for (const t of batch) {
        if (t.qname === NONE || t.infrastructure) continue
        const name = this.names.text(t.qname)
        if (unexplained.has(t)) this.linkWalk(t, name, waiting)
        this.wait(t, name, waiting)
      }
    }
    this.keepOpen(batch)
  }

  private wait(c: Transaction, name: string, waiting: Map<string, Transaction[]>): void {
    const base = baseOfCandidate(name)
    if (base === null) return
    const key = `${c.qtype} ${base}`
    const same = waiting.get(key)
    if (same) same.push(c)
    else waiting.set(key, [c])
  }

  /** Holds what the next batch may go on with, and lets go of what has ended. */
  private keepOpen(batch: readonly Transaction[]): void {
    const last = batch.at(-1)
    if (last === undefined) return
    const open: Transaction[] = []
    for (const c of this.open) {
      if (mayGoOn(c, last.start)) open.push(c)
      else this.transactions.release(c)
    }
    for (const t of batch) {
      if (t.qname === NONE || t.infrastructure || !mayGoOn(t, last.start)) continue
      t.holders++
      open.push(t)
    }
    for (const c of open.splice(0, open.length - MOST_OPEN)) this.transactions.release(c)
    this.open = open
  }

  /** What forwarders ask although nobody seems to have asked them: nothing in most batches. */
  private unexplained(batch: readonly Transaction[]): Set<Transaction> {
    const unexplained = new Set<Transaction>()
    const { served, asked } = this
    const now = ++this.batches
    for (const c of this.open) served[c.server] = now
    for (const t of batch) {
      served[t.server] = now
      if (t.causes || t.infrastructure) continue
      const { client } = t
      if (served[client] !== now) {
        // Looked up once in a batch: who asks for nobody is everybody.
        if (asked[client] === now) continue
        if (this.forwarding.forwardersAt(client).length === 0) {
          asked[client] = now
          continue
        }
      }
      unexplained.add(t)
    }
    return unexplained
  }

  /** The base is the name itself or a part of its first labels. */
  private linkWalk(t: Transaction, name: string, waiting: Map<string, Transaction[]>): void {
    for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) {
      const same = waiting.get(`${t.qtype} ${name.slice(0, end)}`)
      const cause = same && this.walker(same, t)
      if (!cause) continue
      attach(t, cause)
      return
    }
  }

  /** The oldest whose server has not asked this yet. */
  private walker(candidates: Transaction[], t: Transaction): Transaction | null {
    for (const c of candidates) {
      if (c.isTold || c.qname === t.qname || t.start + CLOCK_SLACK < c.start || t.start - c.lastQuery > BUDGET) continue
      // A host's own process may bear the address of the cache that it asks.
      if (c.server === t.server || c.client === t.client) continue
      if (!this.forwarding.asksFrom(c.server, t.client)) continue
      const end = answeredAt(c)
      if (t.start > end + CLOCK_SLACK || t.end > end + CLOCK_SLACK) continue
      if (!c.effects?.some(effect => effect.qname === t.qname)) return c
    }
    return null
  }
}

const mayGoOn = (c: Transaction, now: Time): boolean =>
  !(answeredAt(c) + CLOCK_SLACK < now) && now - c.lastQuery <= BUDGET

/** "google.com" of google.com.shop.svc.cluster.local; null for what is no pod's first candidate. */
function baseOfCandidate(name: string): string | null {
  const service = name.lastIndexOf('.svc.')
  const namespace = service < 0 ? -1 : name.lastIndexOf('.', service - 1)
  return namespace <= 0 ? null : name.slice(0, namespace)
}
