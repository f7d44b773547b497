/**
 * What a replay costs, per client: queries, bytes, waiting, and the load further in. A cache between client and server lets through what
 * it does not have: of N queries for a name it let m through, so of N' it lets m' through with 1/m' = 1/N' + 1/m - 1/N. That is what a
 * cache does that keeps each answer for a fixed time while queries come at random; it holds at both ends: m' = N' where nothing was
 * cached, and m' stays m where one answer served them all.
 */
import { type AddressId, isFailure, NONE, type Outcome, type Time } from '../model.ts'
import type { Change } from './change.ts'
import type { KnownName, KnownNames } from './known-names.ts'
import type { Replay, Replayed, Step } from './replay.ts'
import { legs, type Walk } from './walks.ts'

/** Seconds for which NodeLocal DNSCache keeps answers by its own Corefile, and denials in the cluster's zone. */
const CACHE_TTL = 30
const CLUSTER_DENIAL_TTL = 5
/** What an answer from a cache on the same node takes. */
const CACHE_WAIT: Time = 0.2e6

export interface Load {
  lookups: number
  /** Lookups that got neither an address nor an empty answer. */
  failed: number
  queries: number
  /** NaN where unknown. */
  bytes: number
  wait: Time
  /** Queries at CoreDNS and at the upstream. */
  coredns: number
  upstream: number
}

export interface Effect {
  before: Load
  after: Load
  /** Lookups of which it is known whether they reached CoreDNS, and an upstream: of the others that part was not captured. */
  corednsKnown: number
  upstreamKnown: number
}

/** `nodeOf`: the node of a client; one cache serves all its clients. */
export function effects(
  { seen, costs }: Replay,
  replayed: readonly Replayed[],
  change: Change,
  nodeOf: (client: AddressId) => string,
): Map<AddressId, Effect> {
  const { walks, isCoredns, zone } = seen
  const seconds = Math.max(0, walks.last - walks.first) / 1e9
  const byClient = new Map<AddressId, Effect>()
  const now = new Demands()
  const then = new Demands()
  const cached: { step: Step; demand: Demand; after: Load }[] = []
  for (const { walk, steps, outcome } of replayed) {
    const { client, lookups } = walk
    let effect = byClient.get(client)
    if (!effect) {
      effect = { before: newLoad(), after: newLoad(), corednsKnown: 0, upstreamKnown: 0 }
      byClient.set(client, effect)
    }
    effect.corednsKnown += walk.corednsKnown
    effect.upstreamKnown += walk.clusterKnown
    const before = stepsOf(walk, seen.walks.names, seen.names)
    addSteps(effect.before, before, lookups, walk.outcome)
    const types = legs(walk.types)
    for (const step of before) now.add(step, client, null, types)
    addSteps(effect.after, steps ?? before, lookups, outcome)
    const node = change.nodeLocalCache && isCoredns(walk.asked) ? nodeOf(client) : null
    for (const step of steps ?? before) {
      const demand = then.add(step, client, node, types)
      if (node !== null) cached.push({ step, demand, after: effect.after })
    }
  }
  for (const { step, demand, after } of cached) {
    const hits = 1 - missesOf(demand, seconds, zone) / Math.max(1, demand.asked)
    if (step.queries > 0) after.wait += hits * Math.min(0, (CACHE_WAIT * step.queries) / demand.types - step.wait)
  }
  const { others } = walks.names
  for (const demand of now.list) {
    const known = demand.known ?? others
    share(demand, known.coredns, known.upstream, known.queries, client => byClient.get(client)!.before)
  }
  for (const demand of then.list) {
    const { known, suffix, asked, inServer, node } = demand
    const all = asked + inServer
    const loadOf = (client: AddressId): Load => byClient.get(client)!.after
    if (node !== null) {
      const misses = missesOf(demand, seconds, zone)
      const isOwn = isOfCluster(demand, zone)
      share(demand, isOwn ? misses : 0, isOwn ? 0 : misses, all, loadOf)
    } else if (known === null && demand.name === null) {
      share(demand, others.coredns, others.upstream, others.queries, loadOf)
    } else {
      const usual = costs.of(suffix)
      const names = Math.max(1, usual.names)
      const was = known ?? {
        queries: usual.queries / names,
        coredns: usual.coredns / names,
        upstream: usual.upstream / names,
      }
      // Those whom the filters leave out go on as before, and share the caches.
      const rest = known === null ? 0 : Math.max(0, known.queries - now.asked(demand))
      const coredns = letThrough(rest + asked, was.queries, was.coredns)
      const upstream = letThrough(rest + all, was.queries, was.upstream)
      share(demand, coredns, upstream, rest + all, loadOf)
    }
  }
  return byClient
}

export const newLoad = (): Load => ({ lookups: 0, failed: 0, queries: 0, bytes: 0, wait: 0, coredns: 0, upstream: 0 })

export function addLoad(sum: Load, more: Load): void {
  for (const key of Object.keys(sum) as (keyof Load)[]) sum[key] += more[key]
}

function addSteps(load: Load, steps: readonly Step[], lookups: number, outcome: Outcome): void {
  load.lookups += lookups
  if (isFailure(outcome)) load.failed += lookups
  for (const step of steps) {
    if (!step.inServer) load.queries += step.queries
    load.bytes += step.bytes
    load.wait += step.wait
  }
}

/** The walk as it was seen. */
const stepsOf = (walk: Walk, { byId }: KnownNames, names: { text(id: number): string }): Step[] =>
  walk.suffixes.map((suffix, i) => ({
    name: walk.nameAt(i) === NONE ? null : names.text(walk.nameAt(i)),
    known: byId.get(walk.nameAt(i)) ?? null,
    suffix,
    outcome: walk.outcomes[i],
    queries: walk.queriesAt(i),
    bytes: walk.bytesAt(i),
    wait: walk.waitAt(i),
    assumed: false,
    inServer: false,
  }))

// -- Who asks for what ------------------------------------------------------------------------------------------------------------------

/** All queries for one name, with the clients that send them. */
interface Demand {
  known: KnownName | null
  name: string | null
  suffix: string | null
  outcome: Outcome
  /** The node whose cache is asked; null without. */
  node: string | null
  /** Query types that are asked for: an entry in a cache each. */
  types: number
  /** Queries by clients, and by CoreDNS on their behalf. */
  asked: number
  inServer: number
  byClient: Map<AddressId, number>
}

class Demands {
  private readonly byKey = new Map<string, Demand>()

  get list(): Iterable<Demand> {
    return this.byKey.values()
  }

  /** Queries for the same name without a cache on the node. */
  asked({ name, suffix }: Demand): number {
    return this.byKey.get(keyOf(name, suffix, null))?.asked ?? 0
  }

  add(step: Step, client: AddressId, node: string | null, types: number): Demand {
    const key = keyOf(step.name, step.suffix, node)
    let demand = this.byKey.get(key)
    if (!demand) {
      const { known, name, suffix, outcome } = step
      demand = { known, name, suffix, outcome, node, types: 1, asked: 0, inServer: 0, byClient: new Map() }
      this.byKey.set(key, demand)
    }
    if (types > demand.types) demand.types = types
    if (step.inServer) demand.inServer += step.queries
    else demand.asked += step.queries
    demand.byClient.set(client, (demand.byClient.get(client) ?? 0) + step.queries)
    return demand
  }
}

const keyOf = (name: string | null, suffix: string | null, node: string | null): string =>
  `${name ?? `* ${suffix ?? ''}`} ${node ?? ''}`

/** What a load that nobody can trace to one client is to each: its part of the queries for the name. */
function share(
  { byClient }: Demand,
  coredns: number,
  upstream: number,
  whole: number,
  loadOf: (client: AddressId) => Load,
): void {
  if (whole === 0) return
  for (const [client, queries] of byClient) {
    const load = loadOf(client)
    load.coredns += (coredns * queries) / whole
    load.upstream += (upstream * queries) / whole
  }
}

/** How many of `queries` are let through, where `passed` of `before` were. */
function letThrough(queries: number, before: number, passed: number): number {
  if (queries === 0 || before === 0 || passed === 0) return 0
  // Retries and several hops in a row make more of them, not less.
  if (passed >= before) return (queries * passed) / before
  return 1 / (1 / queries + 1 / passed - 1 / before)
}

/** Queries that a cache on the node, empty at first, would not have the answer for; queries taken to come at random. */
function missesOf(demand: Demand, seconds: number, zone: string | null): number {
  const { asked, known, outcome, types } = demand
  const most = outcome !== 'answered' && isOfCluster(demand, zone) ? CLUSTER_DENIAL_TTL : CACHE_TTL
  const ttl = Math.min(most, known === null || known.ttl === NONE ? most : known.ttl)
  const each = asked / types
  return types * Math.min(each, Math.max(1, seconds === 0 ? 1 : each / (1 + (each * ttl) / seconds)))
}

const isOfCluster = ({ name, suffix }: Demand, zone: string | null): boolean => {
  const end = name ?? suffix
  return zone !== null && end !== null && (end === zone || end.endsWith(`.${zone}`))
}
