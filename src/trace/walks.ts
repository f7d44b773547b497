/**
 * The walks that clients made, summed up: all lookups of one client for one name that went the same way are one row, so that they can
 * be walked again under another configuration when the capture has ended and all is known (replay.ts). Bounded, whatever the
 * capture's length: beyond MAX_WALKS the least frequent are told by their form alone, without their names.
 */
import { A, AAAA } from '../codes.ts'
import { type AddressId, type NameId, NONE, OUTCOMES, type Outcome, type Role } from '../model.ts'
import { KnownNames } from './known-names.ts'
import type { Lookup } from './lookup.ts'
import { RESOLVERS } from './resolvers.ts'
import { dots } from './suffix.ts'
import type { Inward } from './sums.ts'
import type { Transaction } from './transaction.ts'

const MAX_WALKS = 16_000
/** Forms without names beyond this number are only counted. */
const MAX_FORMS = 16_000

/** Walk.types */
export const ASKED_A = 1
export const ASKED_AAAA = 2
export const ASKED_OTHER = 4

/** How many legs a candidate with these types has. */
export const legs = (types: number): number =>
  (types & ASKED_A ? 1 : 0) + (types & ASKED_AAAA ? 1 : 0) + (types & ASKED_OTHER ? 1 : 0)

/** Lookups that went the same way. Sums, of its candidates in the order in which they were asked. */
export class Walk {
  readonly client: AddressId
  /** The server's address as the client used it. */
  readonly asked: AddressId
  readonly resolver: string | null
  /** Client and resolver as one number: a pod may run several. */
  readonly who: number
  /** The name as the application gave it; null where only the form was kept. */
  base: string | null
  readonly dots: number
  /** See Lookup.certain. */
  readonly certain: boolean
  readonly list: readonly string[]
  readonly suffixes: readonly (string | null)[]
  readonly outcomes: readonly Outcome[]
  /** The candidates' names; empty where only the form was kept. */
  names: NameId[]
  readonly outcome: Outcome
  readonly types: number
  lookups = 0
  readonly queries: number[]
  /** NaN where unknown. */
  readonly bytes: number[]
  /** Nanoseconds. */
  readonly wait: number[]
  /** Lookups of which it is known whether they reached CoreDNS, and whether they left the cluster. */
  corednsKnown = 0
  clusterKnown = 0

  /** `suffixes` and `outcomes` are those of the lookup, kept beyond the call. */
  constructor(lookup: Lookup, types: number, suffixes: readonly (string | null)[], outcomes: readonly Outcome[]) {
    const { candidates } = lookup
    this.client = lookup.client
    this.asked = candidates[0].transactions[0].asked
    this.resolver = lookup.resolver
    this.who = lookup.client * 32 + (RESOLVER_NUMBER.get(lookup.resolver) ?? 0)
    this.base = lookup.base
    this.dots = dots(lookup.base)
    this.certain = lookup.certain
    this.list = lookup.searchList
    this.suffixes = suffixes
    this.outcomes = outcomes
    this.names = candidates.map(({ transactions }) => transactions[0].qname)
    this.outcome = lookup.outcome
    this.types = types
    this.queries = candidates.map(() => 0)
    this.bytes = candidates.map(() => 0)
    this.wait = candidates.map(() => 0)
  }

  get totalQueries(): number {
    return this.queries.reduce((sum, n) => sum + n, 0)
  }

  /** Adds the sums of another one of the same form. */
  merge(other: Walk): void {
    this.lookups += other.lookups
    this.corednsKnown += other.corednsKnown
    this.clusterKnown += other.clusterKnown
    for (let i = 0; i < this.queries.length; i++) {
      this.queries[i] += other.queries[i]
      this.bytes[i] += other.bytes[i]
      this.wait[i] += other.wait[i]
    }
  }
}

export class Walks {
  readonly names = new KnownNames()
  /** Lookups and queries beyond all bounds. */
  readonly untold = { lookups: 0, queries: 0 }
  /** Start of the first lookup and of the last. */
  first = Number.POSITIVE_INFINITY
  last = Number.NEGATIVE_INFINITY
  private readonly named = new Map<number, Walk>()
  private readonly forms = new Map<string, Walk>()
  private readonly suffixes = new KeptOnce<string | null>()
  private readonly outcomes = new KeptOnce<Outcome>()

  get list(): Walk[] {
    return [...this.named.values(), ...this.forms.values()]
  }

  /** Takes a lookup that is closed; its outcomes and suffixes are known. */
  addLookup(lookup: Lookup, inward: Inward): void {
    if (lookup.start < this.first) this.first = lookup.start
    if (lookup.start > this.last) this.last = lookup.start
    let types = 0
    for (const { transactions } of lookup.candidates) for (const t of transactions) types |= typeBit(t.qtype)
    const key = keyOf(lookup, types)
    let walk = this.named.get(key)
    if (!walk) {
      if (this.named.size >= MAX_WALKS) this.forgetNames()
      walk = new Walk(lookup, types, this.suffixes.of(lookup.suffixes), this.outcomes.of(lookup.outcomes))
      this.named.set(key, walk)
    }
    walk.lookups++
    if (inward.reachedCoredns !== null) walk.corednsKnown++
    if (inward.leftCluster !== null) walk.clusterKnown++
    this.learn(lookup, walk)
  }

  /** What came of the names that a lookup asked for, and what that cost; also of a lookup that nobody wants to hear of. */
  learn(lookup: Lookup, walk: Walk | null = null): void {
    const { candidates, suffixes, outcomes } = lookup
    const end = Number.isNaN(lookup.wait) ? Number.NaN : lookup.start + lookup.wait
    for (let i = 0; i < candidates.length; i++) {
      const { transactions } = candidates[i]
      const until = i + 1 < candidates.length ? candidates[i + 1].transactions[0].start : end
      const wait = until > transactions[0].start ? until - transactions[0].start : 0
      let queries = 0
      let bytes = 0
      for (const t of transactions) {
        const sent = 1 + t.retransmissions
        queries += sent
        bytes += t.querySize === NONE ? Number.NaN : t.querySize * sent
        if (!Number.isNaN(t.end) && t.responseSize !== NONE) bytes += t.responseSize
      }
      if (walk) {
        walk.queries[i] += queries
        walk.bytes[i] += bytes
        walk.wait[i] += wait
      }
      const name = transactions[0].qname
      if (name === NONE) continue
      const known = this.names.of(name)
      known.queries += queries
      known.bytes += bytes
      known.wait += wait
      countOutcome(known, outcomes[i])
      if (lookup.certain && suffixes[i] === null) known.asIs++
      else if (lookup.certain) known.searched++
    }
  }

  /** Takes a hop of a lookup. */
  addHop(t: Transaction, role: Role): void {
    if (t.qname === NONE || (role !== 'coredns' && role !== 'upstream')) return
    const known = this.names.of(t.qname)
    if (role === 'coredns') known.coredns += 1 + t.retransmissions
    else known.upstream += 1 + t.retransmissions
    if (t.recordTtl !== NONE) known.ttl = Math.max(known.ttl, t.recordTtl)
  }

  /** Of the rarer half only the form is kept. */
  private forgetNames(): void {
    const rare = [...this.named].sort((a, b) => a[1].lookups - b[1].lookups).slice(0, MAX_WALKS / 2)
    for (const [key, walk] of rare) {
      this.named.delete(key)
      const form = [
        walk.client,
        walk.asked,
        walk.resolver,
        walk.dots,
        walk.types,
        walk.certain,
        walk.suffixes.join(' '),
      ]
      const formKey = `${form.join('|')}|${walk.outcomes.join()}|${walk.outcome}`
      const known = this.forms.get(formKey)
      if (known) known.merge(walk)
      else if (this.forms.size < MAX_FORMS) {
        walk.base = null
        walk.names = []
        this.forms.set(formKey, walk)
      } else {
        this.untold.lookups += walk.lookups
        this.untold.queries += walk.totalQueries
      }
    }
  }
}

/** More different rows than this are kept each for itself. */
const MAX_ROWS = 4096

/** Rows of words, each kept once: thousands of walks went through the same search domains to the same outcomes. */
class KeptOnce<Word extends string | null> {
  private readonly known = new Map<string, readonly Word[]>()

  /** A row with these words, which nobody changes. */
  of(words: readonly Word[]): readonly Word[] {
    const key = words.join(' ')
    const known = this.known.get(key)
    // Names are the wire's, so two rows may have one key.
    if (known?.length === words.length && known.every((word, i) => word === words[i])) return known
    const row = [...words]
    if (known === undefined && this.known.size < MAX_ROWS) this.known.set(key, row)
    return row
  }
}

const typeBit = (qtype: number): number => (qtype === A ? ASKED_A : qtype === AAAA ? ASKED_AAAA : ASKED_OTHER)

function countOutcome(known: KnownNames['others'], outcome: Outcome): void {
  if (outcome === 'answered' || outcome === 'nodata' || outcome === 'nxdomain') known[outcome]++
  else known.failed++
}

const OUTCOME_NUMBER = new Map(OUTCOMES.map((outcome, i) => [outcome, i + 1]))
const RESOLVER_NUMBER = new Map<string | null, number>(RESOLVERS.map(({ name }, i) => [name, i + 1]))

/**
 * A number for all that makes a walk: its client, its server, its resolver, its candidates and what came of them. 53 bits: two of
 * 16,000 are mixed up once in 70 million captures.
 */
function keyOf(lookup: Lookup, types: number): number {
  const { candidates, outcomes } = lookup
  const head = (RESOLVER_NUMBER.get(lookup.resolver) ?? 0) * 16 + types * 2 + (lookup.certain ? 1 : 0)
  let a = mix(mix(lookup.client, head), lookup.base.length)
  let b = mix(mix(~candidates[0].transactions[0].asked, lookup.base.length), head)
  for (let i = 0; i < candidates.length; i++) {
    const name = candidates[i].transactions[0].qname
    const outcome = OUTCOME_NUMBER.get(outcomes[i]) ?? 0
    a = mix(mix(a, name), outcome)
    b = mix(mix(b, outcome), name)
  }
  a = mix(a, OUTCOME_NUMBER.get(lookup.outcome) ?? 0)
  return (a >>> 0) * 0x20_0000 + (b >>> 11)
}

function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value ^ (hash >>> 15), 0x2c1b_3c6d) + 0x1656_67b1
  return mixed ^ (mixed >>> 13)
}
