/**
 * What the report adds up while lookups and hops pass by: latency per edge and server, waste by client, name, suffix and resolver, the
 * slowest lookups. Kept per address, because roles are only certain at the end; bounded, whatever the capture's length.
 */

import { type AddressId, NONE, OUTCOMES, type Outcome, TCP } from '../model.ts'
import { endsCutShort } from './cut-short.ts'
import type { Hop } from './hop.ts'
import { Limit } from './limit.ts'
import { type Lookup, transactionsOf } from './lookup.ts'
import type { Loss } from './losses.ts'
import { outcomeOf } from './outcome.ts'
import { pairOf } from './pair.ts'
import { Histogram } from './quantiles.ts'
import { Tally } from './tally.ts'
import { type Transaction, waitOf } from './transaction.ts'
import { kept } from './transactions.ts'
import { addWaste, type LookupWasteSums, noWaste } from './waste.ts'

/** Rows of a table of sums; those with most queries are kept (bounded.ts), so what is shown, the top, stays right. */
const MAX_KEYS = 20_000
/** Names come and go, and a client stays. */
const MAX_NAMES = 10_000
const SLOWEST = 10
/** Places at which something was lost. */
const MOST_PLACES = 1000

/** Hops from one asker to one server. */
export interface EdgeSum {
  /** The asker's address; of a forwarder, the address that it answers on. */
  from: AddressId
  /** True where `from` asks for others. */
  forwarder: boolean
  to: AddressId
  count: number
  unanswered: number
  /** Hops of which the capture does not hold both directions, so that it cannot tell whether any was not answered. */
  untold: number
  /** Waits of hops whose whole wait is the server's own: nearly all, so they are counted once. */
  direct: Histogram
  /** Waits of all others, and the servers' own part. */
  wait: Histogram
  own: Histogram
  /** The network's part of the wait, where both ends were captured. */
  network: Histogram
  /** Rcode, count, and again. */
  rcodes: readonly number[]
  /** Answers of which it is known whether they came from a cache, and those that did; of these, answers that name nothing. */
  cacheKnown: number
  cacheHits: number
  negativeKnown: number
  negativeHits: number
  retransmissions: number
  tcp: number
}

/** Losses of one kind at one place. */
export interface LossSum extends Omit<Loss, 'try'> {
  count: number
}

export interface KeyedWaste {
  lookups: number
  /** Lookups among them of which it is known how long they took. */
  timed: number
  /** Lookups that the key's candidates answered; for suffixes. */
  answered: number
  sums: LookupWasteSums
  /** Lookups that wasted something. */
  wasteful: number
  reachedCoredns: number
  leftCluster: number
  /** Wasteful lookups of which the numbers above are known. */
  corednsKnown: number
  clusterKnown: number
}

/** How far in a lookup's waste went; null where that part was not captured. */
export interface Inward {
  reachedCoredns: number | null
  leftCluster: number | null
}

export class Sums {
  lookups = 0
  /** Lookups among them of which something is missing. */
  partial = 0
  /** Lookups whose answer was cut for UDP, where nothing over TCP was captured. */
  cutShort = 0
  transactions = 0
  infrastructure = 0
  /** Queries whose answers the capture alone lost. */
  unseen = 0
  /** Queries that belong to no lookup because the capture cut their name. */
  cutNames = 0
  readonly outcomes = Object.fromEntries(OUTCOMES.map(o => [o, 0])) as Record<Outcome, number>
  readonly wait = new Histogram()
  readonly edges = new Map<number, EdgeSum>()
  /** By asker. */
  private readonly lastEdges: EdgeSum[] = []
  readonly total = newKeyedWaste()
  /** By key the most frequent; each weighs as many queries as its lookups, or the search candidates, sent. */
  readonly byClient: Tally<AddressId, KeyedWaste>
  readonly byName: Tally<string, KeyedWaste>
  readonly bySuffix: Tally<string, KeyedWaste>
  readonly byResolver: Tally<string, KeyedWaste>
  readonly limit: Limit
  readonly slowest: Lookup[] = []
  /** By kind and place. */
  readonly losses = new Tally<string, LossSum>(newLossSum, MOST_PLACES)
  private readonly mostSlow: number

  /** For sums of a few seconds fewer rows do, and nobody asks for the slowest. */
  constructor(mostKeys = MAX_KEYS, mostSlow = SLOWEST) {
    this.byClient = new Tally(newKeyedWaste, mostKeys)
    this.byName = new Tally(newKeyedWaste, Math.min(mostKeys, MAX_NAMES))
    this.bySuffix = new Tally(newKeyedWaste, mostKeys)
    this.byResolver = new Tally(newKeyedWaste, mostKeys)
    this.limit = new Limit([this.byClient, this.byName, this.bySuffix, this.byResolver, this.losses])
    this.mostSlow = mostSlow
  }

  addLookup(lookup: Lookup, waste: LookupWasteSums, inward: Inward): void {
    this.lookups++
    if (lookup.partial) this.partial++
    if (lookup.outcome === 'not-captured' && endsCutShort(lookup)) this.cutShort++
    this.outcomes[lookup.outcome]++
    if (!Number.isNaN(lookup.wait)) this.wait.add(lookup.wait / 1e6)
    this.addKeyed(this.total, lookup, waste, inward)
    const { queries } = waste
    this.limit.now = lookup.candidates[0].transactions[0]
    this.addKeyed(this.byClient.of(lookup.client, queries), lookup, waste, inward)
    this.addKeyed(this.byName.of(lookup.base, queries), lookup, waste, inward)
    this.addKeyed(this.byResolver.of(lookup.resolver ?? '', queries), lookup, waste, inward)
    this.addSlow(lookup)
  }

  private addKeyed(keyed: KeyedWaste, lookup: Lookup, waste: LookupWasteSums, inward: Inward): void {
    keyed.lookups++
    if (!Number.isNaN(lookup.wait)) keyed.timed++
    if (lookup.outcome === 'answered') keyed.answered++
    addWaste(keyed.sums, waste)
    if (wastedOf(waste) === 0) return
    keyed.wasteful++
    if (inward.reachedCoredns !== null) {
      keyed.reachedCoredns += inward.reachedCoredns
      keyed.corednsKnown++
    }
    if (inward.leftCluster !== null) {
      keyed.leftCluster += inward.leftCluster
      keyed.clusterKnown++
    }
  }

  /** One search candidate of the lookup that was added last: what its domain cost, whether it answered, and whether it is known how long that took. */
  addSuffix(suffix: string, answered: boolean, timed: boolean, waste: LookupWasteSums): void {
    const keyed = this.bySuffix.of(suffix, waste.queries)
    keyed.lookups++
    if (timed) keyed.timed++
    if (answered) keyed.answered++
    addWaste(keyed.sums, waste)
  }

  addHop({ transaction: t, from, forwarder, ownMs, networkMs, fromCache }: Hop): void {
    this.transactions++
    const edge = this.edgeOf(from, t.server, forwarder)
    edge.count++
    edge.retransmissions += t.retransmissions
    if (t.transport === TCP) edge.tcp++
    const outcome = outcomeOf(t)
    if (outcome === 'not-captured') this.unseen++
    if (outcome === 'not-captured' || t.withoutQuery) edge.untold++
    if (outcome === 'unanswered' || outcome === 'unreachable') edge.unanswered++
    const wait = waitOf(t)
    if (wait !== null && outcome !== 'unreachable') {
      if (ownMs === wait) {
        edge.direct = begun(edge.direct)
        edge.direct.add(wait)
      } else {
        edge.wait = begun(edge.wait)
        edge.wait.add(wait)
        if (ownMs !== null) {
          edge.own = begun(edge.own)
          edge.own.add(ownMs)
        }
      }
    }
    if (t.rcode !== NONE) edge.rcodes = counted(edge.rcodes, t.rcode, 1)
    if (networkMs !== null && outcome !== 'unreachable') {
      edge.network = begun(edge.network)
      edge.network.add(networkMs)
    }
    if (fromCache !== null) {
      const isNegative = outcome !== 'answered'
      edge.cacheKnown++
      if (isNegative) edge.negativeKnown++
      if (fromCache) edge.cacheHits++
      if (fromCache && isNegative) edge.negativeHits++
    }
  }

  /** Most askers have one server, so the last is looked at before the table. */
  private edgeOf(from: AddressId, to: AddressId, forwarder: boolean): EdgeSum {
    const last = this.lastEdges[from]
    if (last !== undefined && last.to === to && last.forwarder === forwarder) return last
    const key = pairOf(from, to) * 2 + (forwarder ? 1 : 0)
    let edge = this.edges.get(key)
    if (!edge) {
      edge = newEdge(from, forwarder, to)
      this.edges.set(key, edge)
    }
    this.lastEdges[from] = edge
    return edge
  }

  /** Adds what others have summed up, but for the slowest lookups. */
  join(more: Sums): void {
    this.lookups += more.lookups
    this.partial += more.partial
    this.cutShort += more.cutShort
    this.transactions += more.transactions
    for (const outcome of OUTCOMES) this.outcomes[outcome] += more.outcomes[outcome]
    this.wait.merge(more.wait)
    for (const [key, edge] of more.edges) {
      let own = this.edges.get(key)
      if (own === undefined) {
        own = newEdge(edge.from, edge.forwarder, edge.to)
        this.edges.set(key, own)
      }
      joinEdge(own, edge)
    }
    joinKeyed(this.total, more.total)
    this.byClient.joinAll(more.byClient, joinKeyed)
    this.byName.joinAll(more.byName, joinKeyed)
    this.bySuffix.joinAll(more.bySuffix, joinKeyed)
    this.byResolver.joinAll(more.byResolver, joinKeyed)
  }

  addLoss({ try: _, ...place }: Loss): void {
    const key = Object.values(place).join(' ')
    Object.assign(this.losses.of(key), place).count++
  }

  private addSlow(lookup: Lookup): void {
    if (Number.isNaN(lookup.wait)) return
    const { slowest, mostSlow } = this
    if (slowest.length === mostSlow && !(slowest[mostSlow - 1]?.wait < lookup.wait)) return
    let at = slowest.length
    while (at > 0 && slowest[at - 1].wait < lookup.wait) at--
    slowest.splice(at, 0, lookup)
    for (const t of transactionsOf(lookup)) keepWithEffects(t)
    if (slowest.length > mostSlow) slowest.pop()
  }
}

function keepWithEffects(t: Transaction): void {
  kept(t)
  if (t.effects) for (const effect of t.effects) keepWithEffects(effect)
}

const NO_RCODES: readonly number[] = []

/** The counts with so many more: rcode, count, and again. Most servers give two. */
function counted(counts: readonly number[], rcode: number, n: number): readonly number[] {
  for (let i = 0; i < counts.length; i += 2) {
    if (counts[i] !== rcode) continue
    ;(counts as number[])[i + 1] += n
    return counts
  }
  return counts.concat(rcode, n)
}

/** Stands for times that an edge has not: most edges have one of the four kinds, and there is an edge for every client. */
const NO_TIMES = new Histogram()

const begun = (times: Histogram): Histogram => (times === NO_TIMES ? new Histogram() : times)

function joined(into: Histogram, more: Histogram): Histogram {
  if (more.count === 0) return into
  const times = begun(into)
  times.merge(more)
  return times
}

const newEdge = (from: AddressId, forwarder: boolean, to: AddressId): EdgeSum => ({
  from,
  forwarder,
  to,
  count: 0,
  unanswered: 0,
  untold: 0,
  direct: NO_TIMES,
  wait: NO_TIMES,
  own: NO_TIMES,
  network: NO_TIMES,
  rcodes: NO_RCODES,
  cacheKnown: 0,
  cacheHits: 0,
  negativeKnown: 0,
  negativeHits: 0,
  retransmissions: 0,
  tcp: 0,
})

function joinEdge(into: EdgeSum, more: EdgeSum): void {
  into.count += more.count
  into.unanswered += more.unanswered
  into.untold += more.untold
  into.direct = joined(into.direct, more.direct)
  into.wait = joined(into.wait, more.wait)
  into.own = joined(into.own, more.own)
  into.network = joined(into.network, more.network)
  for (let i = 0; i < more.rcodes.length; i += 2) into.rcodes = counted(into.rcodes, more.rcodes[i], more.rcodes[i + 1])
  into.cacheHits += more.cacheHits
  into.cacheKnown += more.cacheKnown
  into.negativeKnown += more.negativeKnown
  into.negativeHits += more.negativeHits
  into.retransmissions += more.retransmissions
  into.tcp += more.tcp
}

const newLossSum = (): LossSum => ({
  what: 'query',
  seenIn: NONE,
  notSeenIn: null,
  behind: null,
  inside: null,
  inFrontOf: null,
  count: 0,
})

export const newKeyedWaste = (): KeyedWaste => ({
  lookups: 0,
  timed: 0,
  answered: 0,
  sums: noWaste(),
  wasteful: 0,
  reachedCoredns: 0,
  leftCluster: 0,
  corednsKnown: 0,
  clusterKnown: 0,
})

export const wastedOf = ({ kinds }: LookupWasteSums): number =>
  kinds.search + kinds.fanOut + kinds.retransmission + kinds.truncation + kinds.family

export function joinKeyed(into: KeyedWaste, more: KeyedWaste): void {
  into.lookups += more.lookups
  into.timed += more.timed
  into.answered += more.answered
  into.wasteful += more.wasteful
  into.reachedCoredns += more.reachedCoredns
  into.leftCluster += more.leftCluster
  into.corednsKnown += more.corednsKnown
  into.clusterKnown += more.clusterKnown
  addWaste(into.sums, more.sums)
}
