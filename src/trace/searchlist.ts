/**
 * The search lists, learned from the walks themselves: after a negative answer the client asks the same base with the next search
 * domain. Each such step is an observation "this domain, then that"; the list is the path of the observations. Rules I1 to I6 of the
 * grouping rules that ARCHITECTURE.md describes.
 */
import { NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, type NameId, NONE, type Time } from '../model.ts'
import type { Names } from '../wire/tables.ts'
import { Denials } from './denials.ts'
import { behind, commonBase, dots, namespaceOf } from './suffix.ts'
import { ANSWERED, type Transaction } from './transaction.ts'

/** The next candidate follows its predecessor's answer within this (a stub resolver needs microseconds, a starved pod more). */
const STEP_GAP: Time = 50e6
/** Clock granularity: an answer may bear a later time than the query that it let loose. */
const STEP_SLACK: Time = 0.5e6
interface Step {
  count: number
  /** One base is an accident, two are a habit. */
  firstBase: string
  severalBases: boolean
  /** Was one of two steps in a row of one base: three candidates, a walk. */
  inWalk: boolean
}

/** What was learned of one client. */
export interface SearchKnowledge {
  /** In order; empty while nothing is known. */
  list: string[]
  /** Where each domain stands in the list, "" (as-is) behind the last. */
  position: Map<string, number>
  /** ndots is at least, at most; null where no name told. */
  ndotsMin: number | null
  ndotsMax: number | null
  /** Walks of at least two candidates that were seen. */
  walks: number
  /** Queries that were looked at: many without a list are those of a client that does not search. */
  queries: number
  /** The last domain was seen to be followed by the as-is name: nothing stands behind it. */
  complete: boolean
  /** True where a file given by the user says so. */
  given: boolean
}

interface Learner {
  client: AddressId
  asked: AddressId
  /** The client's, at all servers. */
  denials: Denials<Step>
  /** from domain -> to domain -> observations. "" is the as-is name. */
  steps: Map<string, Map<string, Step>>
  knowledge: SearchKnowledge
  /** There are steps since its list was made, ... */
  stale: boolean
  /** ... and they may change it. */
  changed: boolean
}

/** Two names of which the second may be asked because the first was denied. */
interface Pair {
  before: NameId
  name: NameId
  /** Their common base and what each has behind it; null where the one does not lead to the other. */
  step: { base: string; baseDots: number; from: string; to: string } | null
}

/** Pairs of names that are remembered, a power of two: a walk takes the same steps each time. */
const PAIRS = 4096

/**
 * Knowledge is kept per client and server: behind a node's address sit processes with different resolv.conf, and the server that each
 * asks is what tells them apart.
 */
export class SearchLists {
  private readonly learners = new Map<number, Learner>()
  private readonly byClient = new Map<AddressId, Learner[]>()
  private readonly denials = new Map<AddressId, Denials<Step>>()
  private readonly pairs = new Array<Pair | undefined>(PAIRS)
  /** Whose list may have changed. */
  private changed: Learner[] = []
  /** The learner that was asked for last. */
  private last: Learner | null = null
  private allSuffixes: string[] | null = null
  private readonly names: Names
  private givenToAll: { list: string[]; ndots: number | null } | null = null

  constructor(names: Names) {
    this.names = names
  }

  /** Looks at a client's transactions in order of start, before they are grouped. */
  observe(t: Transaction): void {
    const learner = this.learnerOf(t.client, t.asked)
    if (t.nameCut || t.qname < 0) return
    const { knowledge, denials } = learner
    knowledge.queries++
    const at = this.predecessor(denials, t)
    let by: Step | null = null
    let base = ''
    if (at !== NONE) {
      const step = this.pairOf(denials.qname[at], t.qname).step as NonNullable<Pair['step']>
      base = step.base
      by = this.note(learner, step.from, step.to, base)
      const before = denials.by[at]
      if (before && denials.base[at] === base && !(by.inWalk && before.inWalk)) {
        by.inWalk = before.inWalk = true
        this.mark(learner)
      }
      // The base was searched before it was asked as it is: it has fewer dots than ndots.
      const least = step.baseDots + 1
      if (by.inWalk && !knowledge.given && step.from !== '' && !((knowledge.ndotsMin ?? 0) >= least)) {
        const wasDenied = denials.has(qname => this.names.text(qname) === base)
        if (!wasDenied) knowledge.ndotsMin = least
      }
    }
    if (t.state === ANSWERED && isNegative(t)) this.remember(denials, t, by, base)
  }

  private remember(denials: Denials<Step>, t: Transaction, by: Step | null, base: string): void {
    // The other leg of the same candidate was led to by the same step.
    const leg = by === null ? denials.latestOf(t.qname, t.asked, t.start - STEP_GAP) : NONE
    const head = this.names.head(t.qname)
    if (leg === NONE) denials.add(t, head, by, by ? base : '')
    else denials.add(t, head, denials.by[leg], denials.base[leg])
  }

  /**
   * Where the latest negative answer stands of which this query is a plausible continuation; NONE where it is another leg, or begins
   * a walk. The names of one walk share their first label.
   */
  private predecessor(denials: Denials<Step>, t: Transaction): number {
    const head = this.names.head(t.qname)
    for (let at = denials.latest(head, t.asked); at !== NONE; at = denials.latest(head, t.asked, at)) {
      if (denials.qname[at] === t.qname) return NONE
      const gap = t.start - denials.end[at]
      if (gap >= -STEP_SLACK && gap <= STEP_GAP && this.pairOf(denials.qname[at], t.qname).step !== null) return at
    }
    return NONE
  }

  private pairOf(before: NameId, name: NameId): Pair {
    const slot = (Math.imul(before, 0x9e37_79b1) ^ Math.imul(name, 0x85eb_ca6b)) >>> (32 - Math.log2(PAIRS))
    const known = this.pairs[slot]
    if (known !== undefined && known.before === before && known.name === name) return known
    const pair = { before, name, step: stepOf(this.names.text(before), this.names.text(name)) }
    this.pairs[slot] = pair
    return pair
  }

  private mark(learner: Learner): void {
    if (learner.changed) return
    learner.changed = true
    this.changed.push(learner)
  }

  /** Makes the lists of all observations so far; in between of those that may have changed them. */
  learn(atEnd: boolean): void {
    if (atEnd) for (const learner of this.learners.values()) if (learner.stale) this.mark(learner)
    if (this.changed.length === 0) return
    for (const learner of this.changed) {
      learner.changed = learner.stale = false
      const { knowledge } = learner
      if (knowledge.given) continue
      knowledge.list = pathOf(learner.steps)
      knowledge.complete = learner.steps.get(knowledge.list.at(-1) ?? '')?.has('') ?? false
      setPositions(knowledge)
    }
    this.changed = []
    this.allSuffixes = null
    this.share()
  }

  /** What the user's file says of all clients; overrides what is learned. */
  give(list: string[], ndots: number | null): void {
    this.givenToAll = { list, ndots }
  }

  /** What is known of a client when it asks one server; where that is nothing, what is known of it at all. */
  of(client: AddressId, asked: AddressId): SearchKnowledge {
    const { knowledge } = this.learnerOf(client, asked)
    if (knowledge.list.length > 0) return knowledge
    const best = this.bestOf(client)
    return best.list.length > 0 ? best : knowledge
  }

  /** What is known of a client, at the server where it showed most. */
  bestOf(client: AddressId): SearchKnowledge {
    let best: SearchKnowledge = NOTHING_KNOWN
    for (const { knowledge } of this.byClient.get(client) ?? [])
      if (knowledge.list.length > best.list.length) best = knowledge
    return best
  }

  /** A finished walk tells of ndots: its base's dots were fewer than ndots (searched first), or at least as many (as-is first). */
  noteWalk(client: AddressId, asked: AddressId, base: string, searchedFirst: boolean): void {
    const { knowledge } = this.learnerOf(client, asked)
    knowledge.walks++
    if (knowledge.given) return
    const n = dots(base)
    if (searchedFirst) knowledge.ndotsMin = Math.max(knowledge.ndotsMin ?? 0, n + 1)
    else knowledge.ndotsMax = Math.min(knowledge.ndotsMax ?? n, n)
  }

  /** The cluster domain, from the most frequent list; null while unknown. */
  get zone(): string | null {
    const count = new Map<string, number>()
    for (const { knowledge } of this.learners.values()) {
      for (const suffix of knowledge.list) {
        const zone = namespaceOf(suffix)?.zone
        if (zone) count.set(zone, (count.get(zone) ?? 0) + 1)
      }
    }
    return [...count].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null
  }

  /** All search domains of all lists. */
  get suffixes(): readonly string[] {
    if (this.allSuffixes !== null) return this.allSuffixes
    const all = new Set<string>()
    for (const { knowledge } of this.learners.values()) for (const suffix of knowledge.list) all.add(suffix)
    this.allSuffixes = [...all]
    return this.allSuffixes
  }

  /** Every client with what is known of it, once per different list. */
  get known(): { client: AddressId; knowledge: SearchKnowledge }[] {
    return [...this.byClient].flatMap(([client, learners]) => {
      const lists = new Map<string, SearchKnowledge>()
      for (const { knowledge } of learners) {
        const key = knowledge.list.join(' ')
        if (key !== '' && (lists.get(key)?.walks ?? -1) < knowledge.walks) lists.set(key, knowledge)
      }
      return [...lists.values()].map(knowledge => ({ client, knowledge }))
    })
  }

  private learnerOf(client: AddressId, asked: AddressId): Learner {
    if (this.last !== null && this.last.client === client && this.last.asked === asked) return this.last
    const key = client * 0x20_0000 + asked
    let learner = this.learners.get(key)
    if (learner) {
      this.last = learner
      return learner
    }
    const { list, ndots } = this.givenToAll ?? { list: [], ndots: null }
    const knowledge: SearchKnowledge = {
      list,
      position: new Map(),
      ndotsMin: ndots,
      ndotsMax: ndots,
      walks: 0,
      queries: 0,
      complete: false,
      given: this.givenToAll !== null,
    }
    setPositions(knowledge)
    learner = {
      client,
      asked,
      denials: this.denialsOf(client),
      steps: new Map(),
      knowledge,
      stale: false,
      changed: false,
    }
    this.learners.set(key, learner)
    this.allSuffixes = null
    const siblings = this.byClient.get(client)
    if (siblings) siblings.push(learner)
    else this.byClient.set(client, [learner])
    return learner
  }

  private denialsOf(client: AddressId): Denials<Step> {
    let denials = this.denials.get(client)
    if (!denials) {
      denials = new Denials()
      this.denials.set(client, denials)
    }
    return denials
  }

  private note(learner: Learner, from: string, to: string, base: string): Step {
    let next = learner.steps.get(from)
    if (!next) {
      next = new Map()
      learner.steps.set(from, next)
    }
    let step = next.get(to)
    if (!step) {
      step = { count: 0, firstBase: base, severalBases: false, inWalk: false }
      next.set(to, step)
    }
    const n = ++step.count
    const second = !step.severalBases && step.firstBase !== base
    if (second) step.severalBases = true
    // What was seen often changes the list no more, or late: then it is enough to look now and then, and at the end.
    learner.stale = true
    if (second || n <= 4 || (n & (n - 1)) === 0) this.mark(learner)
    return step
  }

  /**
   * A pod that never walked to the end shows a part of its list; the pods of one cluster share its tail (cluster domain and the
   * node's own domains), so the part is completed with what the others have behind it (I5).
   */
  private share(): void {
    const tails = new Map<string, { list: string[]; count: number }>()
    for (const { knowledge } of this.learners.values()) {
      if (knowledge.list.length < 2) continue
      const listTail = namespaceOf(knowledge.list[0]) ? knowledge.list.slice(1) : knowledge.list
      const key = listTail.join(' ')
      const known = tails.get(key)
      if (known) known.count++
      else tails.set(key, { list: listTail, count: 1 })
    }
    const best = [...tails.values()].sort((a, b) => b.list.length * b.count - a.list.length * a.count)[0]
    const tail = best?.list ?? []
    if (tail.length === 0) return
    for (const { knowledge } of this.learners.values()) {
      if (knowledge.given || knowledge.list.length === 0) continue
      const [first, ...others] = knowledge.list
      if (
        namespaceOf(first) &&
        others.length < tail.length &&
        others.at(-1) === tail.at(-1) &&
        isPartOf(others, tail)
      ) {
        // Both ends and some between: the rest of its walks went where the capture does not look (another CoreDNS pod).
        knowledge.list = [first, ...tail]
        setPositions(knowledge)
      }
      if (knowledge.complete) continue
      const last = knowledge.list.at(-1) as string
      const at = tail.indexOf(last)
      const isNamespace = namespaceOf(last) !== null && tail[0] === `svc.${namespaceOf(last)?.zone}`
      const rest = at >= 0 ? tail.slice(at + 1) : isNamespace ? tail : []
      if (rest.length === 0 || rest.some(suffix => knowledge.list.includes(suffix))) continue
      knowledge.list = [...knowledge.list, ...rest]
      setPositions(knowledge)
    }
  }
}

/** True if all of `part` stand in `whole` in the same order. */
function isPartOf(part: string[], whole: string[]): boolean {
  let at = 0
  for (const item of whole) if (item === part[at]) at++
  return at === part.length
}

const NOTHING_KNOWN: SearchKnowledge = {
  list: [],
  position: new Map([['', 0]]),
  ndotsMin: null,
  ndotsMax: null,
  walks: 0,
  queries: 0,
  complete: false,
  given: false,
}

/** NXDOMAIN, or NOERROR without any record. */
const isNegative = (t: Transaction): boolean => t.rcode === NXDOMAIN || (t.rcode === NOERROR && t.answerCount === 0)

function stepOf(before: string, name: string): Pair['step'] {
  const length = commonBase(before, name)
  if (length === 0) return null
  const from = behind(before, length)
  const to = behind(name, length)
  if (!isStep(from, to)) return null
  const base = name.slice(0, length)
  return { base, baseDots: dots(base), from, to }
}

/**
 * Not every pair of names with a common head is a step: domains of one label (com, org) are top-level domains of two different names
 * unless one side is the bare name.
 */
function isStep(from: string, to: string): boolean {
  if (from === to) return false
  if (from !== '' && to !== '' && !from.includes('.') && !to.includes('.')) return false
  return true
}

/**
 * The most frequent path through the steps that were seen often enough. It begins at the domain that is left more often than it is
 * reached from another one.
 */
function pathOf(steps: Map<string, Map<string, Step>>): string[] {
  const next = new Map<string, string>()
  /** How much more often a domain is left than reached: the first of the list has the largest. */
  const surplus = new Map<string, number>()
  const add = (domain: string, n: number): void => {
    if (domain !== '') surplus.set(domain, (surplus.get(domain) ?? 0) + n)
  }
  for (const [from, nexts] of steps) {
    let best: { to: string; count: number } | null = null
    for (const [to, step] of nexts) {
      if (!isProven(step, from === '' || to === '')) continue
      // Steps beside the as-is name are counted once a leg where it was answered, so they say nothing of the order.
      if (from === '') {
        add(to, 0)
        continue
      }
      add(from, to === '' ? 0 : step.count)
      if (to !== '') add(to, -step.count)
      // As-is ends a list, so another domain is preferred where both follow: a jump after a timeout goes straight to as-is.
      if (!best || (best.to === '' && to !== '') || (step.count > best.count && (to !== '' || best.to === '')))
        best = { to, count: step.count }
    }
    if (best) next.set(from, best.to)
  }
  let first: string | undefined
  for (const [domain, n] of surplus) if (first === undefined || n > (surplus.get(first) as number)) first = domain
  const path: string[] = []
  for (let at = first; at && !path.includes(at); at = next.get(at)) path.push(at)
  return path
}

/** Three observations from two bases, or one walk of three candidates (I2); two where one name is the bare base of the other. */
const isProven = (step: Step, besideAsIs: boolean): boolean =>
  step.inWalk || (step.severalBases && step.count >= (besideAsIs ? 2 : 3))

function setPositions(knowledge: SearchKnowledge): void {
  knowledge.position = new Map(knowledge.list.map((suffix, i) => [suffix, i]))
  knowledge.position.set('', knowledge.list.length)
}
