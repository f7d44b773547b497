/**
 * An address that exists on every node is another server on each: 169.254.20.10, and a service's address where a node-local cache has
 * taken it on one node and kube-proxy translates it on the next. Where captures of several nodes are read together, such an address gets
 * an id of its own for each, so that what is learned of one says nothing of the other.
 */
import type { AddressId } from '../model.ts'
import type { Addresses } from '../wire/tables.ts'
import { type Arrivals, FULL_TTL } from './arrivals.ts'
import { ANSWERED, type Transaction } from './transaction.ts'

const LINK_LOCAL = '169.254.'
/** So many answers must show that a server is on the client's own node. */
const ENOUGH = 3

// Which of the servers behind an address: that of a node (its file), the one behind its translation, or nobody knows.
const TRANSLATED = -2
const ELSEWHERE = -3

/** What was seen of an address that clients ask. By home of the client: its file + 1, 0 where that is not known. */
interface Asked {
  isLinkLocal: boolean
  /** Answers that crossed no router, neither way, to clients of that node; and those that came from another address. */
  local: number[]
  translated: number[]
  /** The id of each of its servers; empty while one is all that is known. */
  ids: Map<number, AddressId>
}

export class Nodes {
  private readonly asked: (Asked | undefined)[] = []
  private readonly addresses: Addresses
  private readonly arrivals: Arrivals

  constructor(addresses: Addresses, arrivals: Arrivals) {
    this.addresses = addresses
    this.arrivals = arrivals
  }

  /** Looks at a batch and then gives each of its transactions the ids of the servers that it asked. Nothing to do for one capture. */
  place(batch: readonly Transaction[]): void {
    if (!this.arrivals.hasSeveralFiles) return
    for (const t of batch) this.observe(t)
    for (const t of batch) {
      const known = this.asked[t.asked] as Asked
      if (!isManifold(known)) continue
      const id = this.idOf(t.asked, known, this.serverOf(t, known))
      if (id === t.asked) continue
      t.onWire = t.asked
      if (t.server === t.asked) t.server = id
      t.asked = id
    }
  }

  private observe(t: Transaction): void {
    let known = this.asked[t.asked]
    if (!known) {
      known = { isLinkLocal: this.isLinkLocal(t.asked), local: [], translated: [], ids: new Map() }
      this.asked[t.asked] = known
    }
    if (t.state !== ANSWERED) return
    const home = this.homeOf(t)
    if (t.asked !== t.server) count(known.translated, home)
    else if (home > 0 && t.clientTtl === FULL_TTL && t.responseTtl === FULL_TTL && !this.isSeenAtOther(t, home - 1))
      count(known.local, home)
  }

  /** Another node saw it, so it did not stay on the client's. */
  private isSeenAtOther(t: Transaction, home: number): boolean {
    for (let i = t.framesLength / 2 - 1; i >= 0; i--) {
      const file = t.fileAt(i)
      if (file !== home && this.arrivals.isHome(file)) return true
    }
    return false
  }

  /** What stands for the client's node: a file + 1. */
  private homeOf(t: Transaction): number {
    return this.arrivals.homeOf(t.client) + 1
  }

  /** Which of the servers behind an address it is that a client of that home asks. */
  private serverOf(t: Transaction, known: Asked): number {
    const home = this.homeOf(t)
    if (known.isLinkLocal) return home > 0 && !this.isLinkLocal(t.client) ? home : t.file + 1
    if (known.local[home] >= ENOUGH) return home
    return known.translated[home] > 0 ? TRANSLATED : ELSEWHERE
  }

  private isLinkLocal(address: AddressId): boolean {
    return this.addresses.text(address).startsWith(LINK_LOCAL)
  }

  private idOf(address: AddressId, { ids }: Asked, server: number): AddressId {
    let id = ids.get(server)
    if (id === undefined) {
      id = ids.size === 0 ? address : this.addresses.alias(address)
      ids.set(server, id)
    }
    return id
  }
}

/** Several servers answer to it: on two nodes themselves, or on one themselves while kube-proxy translates it on another. */
function isManifold({ isLinkLocal, local, translated }: Asked): boolean {
  if (isLinkLocal) return true
  let one = 0
  for (let home = 1; home < local.length; home++) {
    if (!(local[home] >= ENOUGH)) continue
    if (one > 0) return true
    one = home
  }
  if (one === 0) return false
  for (let home = 0; home < translated.length; home++) if (home !== one && translated[home] > 0) return true
  return false
}

function count(byHome: number[], home: number): void {
  while (byHome.length <= home) byHome.push(0)
  byHome[home]++
}
