/**
 * The lookups of a capture, walked again under another configuration: which candidates each resolver would have asked for, and what
 * would have come of it. The answer to a candidate is taken from the same lookups where they asked for it, else from whoever did; where
 * nobody did it is assumed, and counted as such.
 */
import { type AddressId, NONE, type Outcome, type Time } from '../model.ts'
import type { Names } from '../wire/names.ts'
import { type Change, isDotted } from './change.ts'
import type { KnownName } from './known-names.ts'
import { type Reading, readingsOf } from './readings.ts'
import type { Resolver } from './resolvers.ts'
import type { SearchLists } from './searchlist.ts'
import { SuffixCosts } from './suffix-costs.ts'
import { AS_IS, afterOutcome, candidateOrder, ONLY_AS_IS } from './walk.ts'
import { legs, type Walk, type Walks } from './walks.ts'

/** What the replay must know of the capture. */
export interface Seen {
  walks: Walks
  searchLists: SearchLists
  names: Names
  /** The cluster domain; null where nothing showed one. */
  zone: string | null
  /** True for a server address that is CoreDNS itself, as a client asks it. */
  isCoredns: (asked: AddressId) => boolean
}

/** One candidate under the changed configuration: sums over the walk's lookups. */
export interface Step {
  /** Null where only the form of the walk is known. */
  name: string | null
  known: KnownName | null
  suffix: string | null
  outcome: Outcome
  queries: number
  bytes: number
  wait: Time
  /** Nobody asked for it in this capture: what comes of it is an assumption. */
  assumed: boolean
  /** CoreDNS asks for it on behalf of its client (autopath): it costs no query of the client's. */
  inServer: boolean
}

/** A walk, and what becomes of it. */
export interface Replayed {
  reading: Reading
  walk: Walk
  /** Null where nothing changes. */
  steps: Step[] | null
  outcome: Outcome
  /** The candidate that would be answered; null where none is, or nothing changes. */
  answered: Step | null
}

/** What a changed walk costs, over all its lookups. */
export interface ChangedSums {
  queries: number
  bytes: number
  wait: Time
  answered: boolean
  /** The as-is name was never asked for in this capture. */
  asIsAssumed: boolean
}

/** The positions of each search list that stay; null where all do. */
type Kept = Map<readonly string[], number[] | null>

export class Replay {
  readonly seen: Seen
  readonly readings: Reading[]
  private knownCosts: SuffixCosts | null = null
  /** Queries that a client sends per leg of a candidate that is denied: 2 where it asks two servers at once. */
  private knownCopies: ReadonlyMap<number, number> | null = null

  constructor(seen: Seen) {
    this.seen = seen
    this.readings = readingsOf(seen)
  }

  /** Made when the first candidate comes up that nobody asked for. */
  get costs(): SuffixCosts {
    const { walks, names } = this.seen
    this.knownCosts ??= new SuffixCosts(walks.list, walks.names, names)
    return this.knownCosts
  }

  private get copies(): ReadonlyMap<number, number> {
    this.knownCopies ??= copiesOf(this.seen.walks.list)
    return this.knownCopies
  }

  run(change: Change): Replayed[] {
    const kept: Kept = new Map()
    return this.readings.map(
      reading =>
        this.again(reading, change, kept) ?? {
          reading,
          walk: reading.walk,
          steps: null,
          outcome: reading.walk.outcome,
          answered: null,
        },
    )
  }

  /** The sums of every walk that would be another, in one object that is used again: for many changes at the end of a long capture. */
  eachChanged(change: Change, visit: (reading: Reading, sums: ChangedSums) => void): void {
    const kept: Kept = new Map()
    const sums: ChangedSums = { queries: 0, bytes: 0, wait: 0, answered: false, asIsAssumed: false }
    for (const reading of this.readings) {
      const order = this.orderOf(reading, change, kept)
      if (order === null) continue
      sums.queries = sums.bytes = sums.wait = 0
      sums.answered = sums.asIsAssumed = false
      let at = 0
      while (at < order.length) {
        const outcome = this.addStep(reading, order[at], sums)
        if (outcome === 'answered') sums.answered = true
        at = nextAt(order, at, outcome, reading)
      }
      visit(reading, sums)
    }
  }

  /** As stepAt, without a step for what the walk itself asked for. */
  private addStep(reading: Reading, position: number, sums: ChangedSums): Outcome {
    const { walk, list, asked } = reading
    const i = asked[position === AS_IS ? list.length : position]
    if (i >= 0) {
      sums.queries += walk.queriesAt(i)
      sums.bytes += walk.bytesAt(i)
      sums.wait += walk.waitAt(i)
      return walk.outcomes[i]
    }
    const step = this.stepAt(reading, position)
    sums.queries += step.queries
    sums.bytes += step.bytes
    sums.wait += step.wait
    if (step.assumed && position === AS_IS) sums.asIsAssumed = true
    return step.outcome
  }

  private again(reading: Reading, change: Change, kept: Kept): Replayed | null {
    const { walk } = reading
    const order = this.orderOf(reading, change, kept)
    if (order === null) return null
    const steps = this.walkOn(reading, order)
    const answered = steps.find(({ outcome }) => outcome === 'answered') ?? null
    return {
      reading,
      walk,
      steps: this.isHelped(reading, order, change) ? this.inServer(steps) : steps,
      outcome: answered || walk.outcome === 'answered' ? outcomeOf(steps, reading.resolver) : walk.outcome,
      answered,
    }
  }

  /** The candidates that are asked for, until one stops the walk. */
  private walkOn(reading: Reading, order: readonly number[]): Step[] {
    const steps: Step[] = []
    let at = 0
    while (at < order.length) {
      const step = this.stepAt(reading, order[at])
      steps.push(step)
      at = nextAt(order, at, step.outcome, reading)
    }
    return steps
  }

  /** The candidates in the order in which they would be tried; null where that is what was seen. */
  private orderOf(reading: Reading, change: Change, kept: Kept): readonly number[] | null {
    if (reading.fixed) return null
    if (reading.base !== null && isDotted(change, reading.base)) return reading.order.length === 1 ? null : ONLY_AS_IS
    const order = this.searchedOrder(reading, change, kept)
    if (this.isHelped(reading, order, change)) return order
    const { order: now } = reading
    if (order === now) return null
    return order.length === now.length && order.every((p, i) => p === now[i]) ? null : order
  }

  private searchedOrder(reading: Reading, change: Change, kept: Kept): readonly number[] {
    const { list, resolver } = reading
    const ndots = change.ndots ?? reading.ndots
    if (change.dropSuffix.length === 0)
      return ndots === null ? reading.order : candidateOrder(resolver, reading.dots, list.length, ndots)
    let positions = kept.get(list)
    if (positions === undefined) {
      const all = list.map((suffix, i) => (change.dropSuffix.includes(suffix) ? AS_IS : i)).filter(p => p !== AS_IS)
      positions = all.length === list.length ? null : all
      kept.set(list, positions)
    }
    const order = ndots === null ? reading.order : candidateOrder(resolver, reading.dots, list.length, ndots)
    return positions === null ? order : order.filter(p => p === AS_IS || positions.includes(p))
  }

  /** autopath acts on the first domain of the pod's list, at a CoreDNS that sees the pod's own address: not behind a node's cache. */
  private isHelped({ walk, list }: Reading, order: readonly number[], { autopath, nodeLocalCache }: Change): boolean {
    if (!autopath || nodeLocalCache || order[0] !== 0) return false
    const { zone, isCoredns } = this.seen
    return isCoredns(walk.asked) && zone !== null && list[0].endsWith(zone)
  }

  private stepAt(reading: Reading, position: number): Step {
    const { walk, list, asked } = reading
    const suffix = position === AS_IS ? null : list[position]
    const i = asked[position === AS_IS ? list.length : position]
    if (i >= 0) {
      const id = walk.nameAt(i)
      return {
        name: id === NONE ? null : this.seen.names.text(id),
        known: this.seen.walks.names.byId.get(id) ?? null,
        suffix,
        outcome: walk.outcomes[i],
        queries: walk.queriesAt(i),
        bytes: walk.bytesAt(i),
        wait: walk.waitAt(i),
        assumed: false,
        inServer: false,
      }
    }
    const name = nameOf(reading, suffix)
    // Left out in the middle of the walk: the client had the answer in a cache of its own (c-ares, Netty).
    if (isLeftOut(reading, position))
      return {
        name,
        known: null,
        suffix,
        outcome: 'nxdomain',
        queries: 0,
        bytes: 0,
        wait: 0,
        assumed: false,
        inServer: false,
      }
    const id = name === null ? -1 : this.seen.names.find(name)
    const known = id < 0 ? null : (this.seen.walks.names.byId.get(id) ?? null)
    const usual = this.costs.of(suffix)
    const queries = legs(walk.types) * walk.lookups * (this.copies.get(walk.who) ?? 1)
    // Where nobody asked for any name with this domain, the walk itself is the best guess.
    const seen = known !== null && known.queries > 0 ? known : usual.queries > 0 ? usual : ofItself(walk)
    // Query and response hold the name once each.
    const longer = seen === usual && name !== null ? 2 * (name.length - usual.letters / usual.queries) : 0
    return {
      name,
      known,
      suffix,
      outcome: known?.outcome ?? usual.outcome,
      queries,
      bytes: (seen.bytes / seen.queries + longer) * queries,
      wait: seen.candidates > 0 ? (seen.wait / seen.candidates) * walk.lookups : 0,
      assumed: (known?.outcome ?? null) === null,
      inServer: false,
    }
  }

  /**
   * CoreDNS walks the list itself and answers the first candidate with what is not NXDOMAIN. Where all is, the client walks too, and
   * where the answer is empty it may go on.
   */
  private inServer(steps: Step[]): Step[] {
    const at = steps.findIndex(({ outcome }) => outcome !== 'nxdomain')
    if (at <= 0) return steps
    const [first] = steps
    const walked = steps.slice(1, at + 1)
    const found = steps[at]
    if (found.outcome !== 'answered' && found.outcome !== 'nodata') return steps
    const { zone } = this.seen
    const isOutside = (step: Step): boolean => step.suffix === null || zone === null || !step.suffix.endsWith(zone)
    // What CoreDNS knows itself takes it no time; the response tells of the name that was found.
    const wait = walked.filter(step => step === found || isOutside(step)).reduce((sum, step) => sum + step.wait, 0)
    const longer = (first.suffix?.length ?? 0) - (found.suffix?.length ?? -1)
    return [
      { ...first, outcome: found.outcome, wait, bytes: found.bytes + 2 * longer * first.queries },
      ...walked.filter(isOutside).map(step => ({ ...step, wait: 0, bytes: 0, inServer: true })),
      ...steps.slice(at + 1),
    ]
  }
}

/** In halves: a tool that walks for A and asks for AAAA at the end sends one query of two; a repeated query here and there does not count. */
function copiesOf(walks: readonly Walk[]): Map<number, number> {
  const sums = new Map<number, { queries: number; legs: number }>()
  for (const walk of walks) {
    walk.outcomes.forEach((outcome, i) => {
      if (outcome !== 'nxdomain') return
      const sum = sums.get(walk.who) ?? { queries: 0, legs: 0 }
      sums.set(walk.who, sum)
      sum.queries += walk.queriesAt(i)
      sum.legs += walk.lookups * legs(walk.types)
    })
  }
  return new Map(
    [...sums].map(([who, { queries, legs }]) => [who, Math.max(0.5, Math.round((2 * queries) / legs) / 2)]),
  )
}

/** Where the walk goes on after a candidate: behind the end where it stops. */
function nextAt(order: readonly number[], at: number, outcome: Outcome, { resolver }: Reading): number {
  const next = afterOutcome(outcome, resolver)
  if (next === 'next') return at + 1
  if (next === 'stop') return order.length
  // The rest of the list is left out; an as-is name that was asked first is not asked again.
  const asIs = order.indexOf(AS_IS)
  return asIs > at ? asIs : order.length
}

const ofItself = (walk: Walk) => ({
  queries: walk.queries,
  bytes: walk.bytes,
  wait: walk.wait,
  candidates: walk.lookups * walk.length,
})

const nameOf = ({ base }: Reading, suffix: string | null): string | null =>
  base === null ? null : suffix === null ? base : `${base}.${suffix}`

/** The configuration that was seen asks for this candidate before the last one that was asked for. */
function isLeftOut({ order, asked, list }: Reading, position: number): boolean {
  const at = order.indexOf(position)
  return at >= 0 && order.slice(at + 1).some(p => asked[p === AS_IS ? list.length : p] >= 0)
}

/** What the application is told, as decide() of outcome.ts has it. */
function outcomeOf(steps: readonly Step[], resolver: Resolver): Outcome {
  const has = (outcome: Outcome): boolean => steps.some(step => step.outcome === outcome)
  if (has('answered')) return 'answered'
  if (resolver.name === 'glibc' && steps[0]?.suffix !== null) {
    if (has('nodata')) return 'nodata'
    if (has('servfail')) return 'servfail'
  }
  const last = steps.at(-1)
  if (last !== undefined && afterOutcome(last.outcome, resolver) === 'stop') return last.outcome
  return (steps.find(({ suffix }) => suffix === null) ?? last)?.outcome ?? 'other'
}
