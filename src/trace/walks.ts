/**
 * The walks that clients made, summed up: all lookups of one client for one name that went the same way are one row, so that they can
 * be walked again under another configuration when the capture has ended and all is known (replay.ts). Bounded, whatever the
 * capture's length: beyond MAX_WALKS the least frequent are told by their form alone, without their names.
 */
import { A, AAAA } from '../codes.ts'
import { type AddressId, type NameId, NONE, OUTCOMES, type Outcome, type Role, type Time } from '../model.ts'
import { type KnownName, KnownNames } from './known-names.ts'
import type { Lookup } from './lookup.ts'
import { RESOLVERS } from './resolvers.ts'
import { dots } from './suffix.ts'
import type { Inward } from './sums.ts'
import { Tally } from './tally.ts'
import type { Transaction } from './transaction.ts'
import type { LookupWasteSums } from './waste.ts'

const MAX_WALKS = 12_000
/** Forms without names beyond this number are only counted. */
const MAX_FORMS = 16_000

/** Walk.types */
export const ASKED_A = 1
export const ASKED_AAAA = 2
const ASKED_OTHER = 4

/** How many legs a candidate with these types has. */
export const legs = (types: number): number =>
  (types & ASKED_A ? 1 : 0) + (types & ASKED_AAAA ? 1 : 0) + (types & ASKED_OTHER ? 1 : 0)

/** What walks of many clients and names have in common. */
export interface Form {
  /** The server's address as the client used it. */
  readonly asked: AddressId
  readonly resolver: string | null
  readonly dots: number
  /** See Lookup.certain. */
  readonly certain: boolean
  readonly list: readonly string[]
  readonly suffixes: readonly (string | null)[]
  readonly outcomes: readonly Outcome[]
  readonly outcome: Outcome
  readonly types: number
}

/** What is summed up of each candidate, in this order. */
const QUERIES = 0
/** NaN where unknown. */
const BYTES = 1
/** Nanoseconds. */
const WAIT = 2
const COLUMNS = 3

/** Lookups that went the same way. Sums, of its candidates in the order in which they were asked. */
export class Walk {
  readonly form: Form
  readonly client: AddressId
  /** The name as the application gave it; null where only the form was kept. */
  base: string | null
  lookups = 0
  /** Lookups of which it is known whether they reached CoreDNS, and whether they left the cluster. */
  corednsKnown = 0
  clusterKnown = 0
  /** Candidate after candidate. */
  private readonly sums: number[]
  /** The candidates' names; null where only the form was kept. */
  private names: readonly NameId[] | null

  constructor(lookup: Lookup, form: Form) {
    const { candidates } = lookup
    this.form = form
    this.client = lookup.client
    this.base = lookup.base
    this.names = candidates.map(({ qname }) => qname)
    // With a NaN at first, so that numbers stand in it as they are.
    this.sums = new Array<number>(COLUMNS * candidates.length).fill(Number.NaN).fill(0)
  }

  get asked(): AddressId {
    return this.form.asked
  }

  get resolver(): string | null {
    return this.form.resolver
  }

  get dots(): number {
    return this.form.dots
  }

  get certain(): boolean {
    return this.form.certain
  }

  get list(): readonly string[] {
    return this.form.list
  }

  get suffixes(): readonly (string | null)[] {
    return this.form.suffixes
  }

  get outcomes(): readonly Outcome[] {
    return this.form.outcomes
  }

  get outcome(): Outcome {
    return this.form.outcome
  }

  get types(): number {
    return this.form.types
  }

  /** How many candidates it has. */
  get length(): number {
    return this.form.outcomes.length
  }

  /** Client and resolver as one number: a pod may run several. */
  get who(): number {
    return this.client * 32 + (RESOLVER_NUMBER.get(this.form.resolver) ?? 0)
  }

  /** The name of a candidate; NONE where it is not known. */
  nameAt(i: number): NameId {
    return this.names?.[i] ?? NONE
  }

  queriesAt(i: number): number {
    return this.sums[i * COLUMNS + QUERIES]
  }

  bytesAt(i: number): number {
    return this.sums[i * COLUMNS + BYTES]
  }

  waitAt(i: number): Time {
    return this.sums[i * COLUMNS + WAIT]
  }

  get queries(): number {
    return this.total(QUERIES)
  }

  get bytes(): number {
    return this.total(BYTES)
  }

  get wait(): Time {
    return this.total(WAIT)
  }

  private total(column: number): number {
    let sum = 0
    for (let i = column; i < this.sums.length; i += COLUMNS) sum += this.sums[i]
    return sum
  }

  add(i: number, queries: number, bytes: number, wait: Time): void {
    const { sums } = this
    sums[i * COLUMNS + QUERIES] += queries
    sums[i * COLUMNS + BYTES] += bytes
    sums[i * COLUMNS + WAIT] += wait
  }

  forgetNames(): void {
    this.base = this.names = null
  }

  /** Adds the sums of another one of the same form. */
  merge(other: Walk): void {
    this.lookups += other.lookups
    this.corednsKnown += other.corednsKnown
    this.clusterKnown += other.clusterKnown
    for (let i = 0; i < this.sums.length; i++) this.sums[i] += other.sums[i]
  }
}

export class Walks {
  readonly names = new KnownNames()
  /** Lookups and queries beyond all bounds. */
  readonly untold = { lookups: 0, queries: 0 }
  /** Lookups of which something was not captured. */
  partial = 0
  /** Lookups of which no answer to the last candidate was captured. */
  unseen = 0
  /** Start of the first lookup and of the last. */
  first = Number.POSITIVE_INFINITY
  last = Number.NEGATIVE_INFINITY
  /** Each weighs as many lookups as went this way; of the rarer ones only the form is kept. */
  private readonly named = new Tally<number, Walk>(
    () => this.newWalk(),
    MAX_WALKS,
    walk => this.forgetNames(walk),
  )
  /** The lookup that is being added. */
  private lookup: Lookup | null = null
  private types = 0
  /** By client and form. */
  private readonly unnamed = new Map<number, Walk>()
  /** Numbers of the walks' forms: less than the long key, which every client would have for itself. */
  private readonly formNumbers = new Map<string, number>()
  /** So that walks that have one in common share it: by search list and hash. A list is the same array for all that have it. */
  private readonly forms = new Map<readonly string[], Map<number, Form>>()
  private formCount = 0

  get list(): Walk[] {
    return [...this.named.values(), ...this.unnamed.values()]
  }

  /** Takes a lookup that is closed; its outcomes and suffixes are known. `parts`: the sums of its candidates. */
  addLookup(closed: Lookup, parts: readonly LookupWasteSums[], inward: Inward): void {
    const lookup = closed.outcome === 'not-captured' ? asFound(closed) : closed
    if (lookup !== closed) this.unseen++
    if (lookup.start < this.first) this.first = lookup.start
    if (lookup.start > this.last) this.last = lookup.start
    let types = 0
    for (const { transactions } of lookup.candidates) for (const t of transactions) types |= typeBit(t.qtype)
    this.lookup = lookup
    this.types = types
    const walk = this.named.of(keyOf(lookup, types))
    walk.lookups++
    if (inward.reachedCoredns !== null) walk.corednsKnown++
    if (inward.leftCluster !== null) walk.clusterKnown++
    this.learn(lookup, parts, walk)
  }

  /** What came of the names that a lookup asked for, and what that cost; also of a lookup that nobody wants to hear of. */
  learn(lookup: Lookup, parts: readonly LookupWasteSums[], walk: Walk | null = null): void {
    const { candidates, suffixes, outcomes } = lookup
    const end = Number.isNaN(lookup.wait) ? Number.NaN : lookup.start + lookup.wait
    for (let i = 0; i < candidates.length; i++) {
      const { transactions } = candidates[i]
      const until = i + 1 < candidates.length ? candidates[i + 1].transactions[0].start : end
      const wait = until > transactions[0].start ? until - transactions[0].start : 0
      const { queries, totalBytes: bytes } = parts[i]
      walk?.add(i, queries, bytes, wait)
      const name = transactions[0].qname
      if (name === NONE) continue
      const known = this.names.byId.of(name, queries)
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
    const known = this.names.byId.of(t.qname, 0)
    if (role === 'coredns') known.coredns += 1 + t.retransmissions
    else known.upstream += 1 + t.retransmissions
    if (t.recordTtl !== NONE) known.ttl = Math.max(known.ttl, t.recordTtl)
  }

  private formOf(lookup: Lookup, types: number): Form {
    const { resolver, certain, searchList: list, suffixes, outcomes, outcome } = lookup
    const { asked } = lookup.candidates[0].transactions[0]
    const form: Form = { asked, resolver, dots: dots(lookup.base), certain, list, suffixes, outcomes, outcome, types }
    const hash = hashOfForm(form)
    const known = this.forms.get(list)?.get(hash)
    if (known !== undefined && isSameForm(known, form)) return known
    // Walks hold on to their own.
    if (++this.formCount > MAX_FORMS) {
      this.forms.clear()
      this.formCount = 1
    }
    const own = { ...form, suffixes: [...suffixes], outcomes: [...outcomes] }
    const ofList = this.forms.get(list)
    if (ofList) ofList.set(hash, own)
    else this.forms.set(list, new Map([[hash, own]]))
    return own
  }

  private newWalk(): Walk {
    const lookup = this.lookup as Lookup
    return new Walk(lookup, this.formOf(lookup, this.types))
  }

  private forgetNames(walk: Walk): void {
    const { unnamed } = this
    const form = keyOfForm(walk.form)
    const number = this.formNumbers.get(form) ?? this.formNumbers.size
    const formKey = walk.client * 0x20_0000 + number
    const known = unnamed.get(formKey)
    if (known) known.merge(walk)
    else if (unnamed.size < MAX_FORMS) {
      this.formNumbers.set(form, number)
      walk.forgetNames()
      unnamed.set(formKey, walk)
    } else {
      this.untold.lookups += walk.lookups
      this.untold.queries += walk.queries
    }
  }
}

/** All of it but the list: what the walk did, not what it might have done. */
const keyOfForm = ({ asked, resolver, dots, types, certain, suffixes, outcomes, outcome }: Form): string =>
  [asked, resolver, dots, types, certain, suffixes.join(' '), outcomes.join(), outcome].join('\n')

function hashOfForm({ asked, resolver, dots, types, certain, suffixes, outcomes, outcome }: Form): number {
  const head = (RESOLVER_NUMBER.get(resolver) ?? 0) * 16 + types * 2 + (certain ? 1 : 0)
  let hash = mix(mix(mix(asked, head), dots), OUTCOME_NUMBER.get(outcome) ?? 0)
  for (let i = 0; i < suffixes.length; i++)
    hash = mix(mix(hash, suffixes[i]?.length ?? 0), OUTCOME_NUMBER.get(outcomes[i]) ?? 0)
  return hash
}

/** Whether two forms with one search list are the same. */
function isSameForm(a: Form, b: Form): boolean {
  if (a.asked !== b.asked || a.resolver !== b.resolver || a.dots !== b.dots || a.types !== b.types) return false
  if (a.certain !== b.certain || a.outcome !== b.outcome || a.suffixes.length !== b.suffixes.length) return false
  for (let i = 0; i < a.suffixes.length; i++)
    if (a.suffixes[i] !== b.suffixes[i] || a.outcomes[i] !== b.outcomes[i]) return false
  return true
}

/** Nothing was asked after its last candidate: that counts as found, and those before it as denied. */
const asFound = (lookup: Lookup): Lookup => ({
  ...lookup,
  outcomes: lookup.outcomes.map((outcome, i, { length }) =>
    outcome !== 'not-captured' ? outcome : i === length - 1 ? 'answered' : 'nxdomain',
  ),
  outcome: 'answered',
})

const typeBit = (qtype: number): number => (qtype === A ? ASKED_A : qtype === AAAA ? ASKED_AAAA : ASKED_OTHER)

function countOutcome(known: KnownName, outcome: Outcome): void {
  if (outcome === 'answered' || outcome === 'nodata' || outcome === 'nxdomain') known[outcome]++
  else known.failed++
}

const OUTCOME_NUMBER = new Map(OUTCOMES.map((outcome, i) => [outcome, i + 1]))
const RESOLVER_NUMBER = new Map<string | null, number>(RESOLVERS.map(({ name }, i) => [name, i + 1]))

/**
 * A number for all that makes a walk: its client, its server, its resolver, its candidates and what came of them. 53 bits: two of
 * 12,000 are mixed up once in 120 million captures.
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
