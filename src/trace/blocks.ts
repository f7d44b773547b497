/**
 * What is needed to say whether two captures differ by more than chance: sums and histograms per stretch of time. Lookups of one moment
 * are alike (one pod, one name, one outage), so a sum's chance is judged by how much it varies from one stretch to the next, not as if
 * every lookup were drawn alone. Bounded: when there are too many stretches, two become one.
 */
import { OUTCOMES, type Outcome, type Role, type Time } from '../model.ts'
import type { Hop } from './hop.ts'
import type { Lookup } from './lookup.ts'
import { outcomeOf } from './outcome.ts'
import { Histogram } from './quantiles.ts'
import { waitOf } from './transaction.ts'
import type { LookupWasteSums } from './waste.ts'

const MAX_BLOCKS = 64
const FIRST_WIDTH: Time = 0.125e9

/** Hops from a role to a role. */
export class EdgeBlock {
  hops = 0
  unanswered = 0
  servfail = 0
  cacheKnown = 0
  cacheHits = 0
  readonly wait = new Histogram()

  merge(other: EdgeBlock): void {
    this.hops += other.hops
    this.unanswered += other.unanswered
    this.servfail += other.servfail
    this.cacheKnown += other.cacheKnown
    this.cacheHits += other.cacheHits
    this.wait.merge(other.wait)
  }
}

/** One stretch of time. */
export class Block {
  lookups = 0
  readonly outcomes = Object.fromEntries(OUTCOMES.map(outcome => [outcome, 0])) as Record<Outcome, number>
  queries = 0
  wasted = 0
  nxdomain = 0
  /** NaN where a size is unknown. */
  bytes = 0
  /** Nanoseconds of waiting that nothing needed. */
  wastedWait = 0
  readonly wait = new Histogram()
  /** Key: "pod coredns". */
  readonly edges = new Map<string, EdgeBlock>()

  merge(other: Block): void {
    this.lookups += other.lookups
    for (const outcome of OUTCOMES) this.outcomes[outcome] += other.outcomes[outcome]
    this.queries += other.queries
    this.wasted += other.wasted
    this.nxdomain += other.nxdomain
    this.bytes += other.bytes
    this.wastedWait += other.wastedWait
    this.wait.merge(other.wait)
    for (const [key, edge] of other.edges) this.edge(key).merge(edge)
  }

  edge(key: string): EdgeBlock {
    let edge = this.edges.get(key)
    if (!edge) {
      edge = new EdgeBlock()
      this.edges.set(key, edge)
    }
    return edge
  }
}

export class Blocks {
  private width = FIRST_WIDTH
  private byIndex = new Map<number, Block>()

  get list(): Block[] {
    return [...this.byIndex.values()]
  }

  addLookup(lookup: Lookup, waste: LookupWasteSums): void {
    const block = this.at(lookup.start)
    const { search, fanOut, retransmission, truncation, family } = waste.kinds
    block.lookups++
    block.outcomes[lookup.outcome]++
    block.queries += waste.queries
    block.wasted += search + fanOut + retransmission + truncation + family
    block.nxdomain += waste.nxdomain
    block.bytes += waste.totalBytes
    block.wastedWait += waste.wait
    if (!Number.isNaN(lookup.wait)) block.wait.add(lookup.wait / 1e6)
  }

  /** Roles as they are known when the hop is closed. */
  addHop({ transaction, fromCache }: Hop, from: Role, to: Role): void {
    const edge = this.at(transaction.start).edge(`${from} ${to}`)
    const outcome = outcomeOf(transaction)
    const wait = waitOf(transaction)
    edge.hops++
    if (outcome === 'unanswered' || outcome === 'unreachable') edge.unanswered++
    else if (wait !== null) edge.wait.add(wait)
    if (outcome === 'servfail') edge.servfail++
    if (fromCache === null) return
    edge.cacheKnown++
    if (fromCache) edge.cacheHits++
  }

  private at(time: Time): Block {
    const index = Math.floor(time / this.width)
    const block = this.byIndex.get(index)
    if (block) return block
    if (this.byIndex.size >= MAX_BLOCKS) {
      this.widen()
      return this.at(time)
    }
    const added = new Block()
    this.byIndex.set(index, added)
    return added
  }

  /** Neighbours become one. */
  private widen(): void {
    this.width *= 2
    const wider = new Map<number, Block>()
    for (const [index, block] of this.byIndex) {
      const known = wider.get(Math.floor(index / 2))
      if (known) known.merge(block)
      else wider.set(Math.floor(index / 2), block)
    }
    this.byIndex = wider
  }
}
