/** What is known of a client's resolv.conf, and how the pods of a cluster complete each other's (rule I5). */
import type { Time } from '../model.ts'
import { agreed, type Expected } from './expected.ts'
import type { Ndots } from './ndots.ts'
import { namespaceOf } from './suffix.ts'

/** What was learned of one client. */
export interface SearchKnowledge {
  /** In order; empty while nothing is known. */
  list: readonly string[]
  /** Where each domain stands in the list, "" (as-is) behind the last. */
  position: ReadonlyMap<string, number>
  /** ndots is at least, at most; null where nothing tells. */
  ndotsMin: number | null
  ndotsMax: number | null
  /** Walks of at least two candidates that were seen. */
  walks: number
  /** Queries that were looked at: many without a list are those of a client that does not search. */
  queries: number
  /** How often each domain of the list was seen to lead to the next: where that is often, none stands between the two. */
  steps: readonly number[]
  /** The last domain was seen to be followed by the as-is name: nothing stands behind it. */
  complete: boolean
  /** What its queries may be late by where they were captured (pace.ts). */
  lag: Time
  /** A part of its walks goes where the capture does not look (portions.ts). */
  isTorn: boolean
  /** What the user's files say; null where they say nothing. Where `contradicted` what was learned holds all the same. */
  expected: Expected | null
  contradicted: boolean
}

/** A client that asked so often and never walked has no search list, or does not use it. */
export const ENOUGH_QUERIES = 12

export const NOTHING_KNOWN: SearchKnowledge = {
  list: [],
  position: positionsIn([]),
  ndotsMin: null,
  ndotsMax: null,
  walks: 0,
  queries: 0,
  steps: [],
  complete: false,
  lag: 0,
  isTorn: false,
  expected: null,
  contradicted: false,
}

function positionsIn(list: readonly string[]): ReadonlyMap<string, number> {
  const position = new Map(list.map((suffix, i) => [suffix, i]))
  return position.set('', list.length)
}

/** Different lists that are kept once; a cluster has one for each namespace. */
const MOST_LISTS = 1024
const lists = new Map<string, Pick<SearchKnowledge, 'list' | 'position'>>()

/** Gives it a list, which it shares with all clients that have the same one. */
export function setList(knowledge: SearchKnowledge, list: readonly string[]): void {
  const key = list.join(' ')
  let known = lists.get(key)
  if (known === undefined) {
    if (lists.size >= MOST_LISTS) lists.clear()
    known = { list, position: positionsIn(list) }
    lists.set(key, known)
  }
  knowledge.list = known.list
  knowledge.position = known.position
}

/** True if walks do not contradict this ndots. */
const allows = ({ ndotsMin, ndotsMax }: Ndots, n: number): boolean =>
  !(ndotsMin !== null && ndotsMin > n) && !(ndotsMax !== null && ndotsMax < n)

/** The bounds that walks show, or the number that the user's files say, where the walks do not contradict it. */
export function setBounds(knowledge: SearchKnowledge, ndots: Ndots): void {
  const n = knowledge.expected?.ndots ?? null
  const holds = n !== null && allows(ndots, n)
  knowledge.ndotsMin = holds ? n : ndots.ndotsMin
  knowledge.ndotsMax = holds ? n : ndots.ndotsMax
}

/** The ndots that the user's files say, where walks do not contradict it; else null. */
export function ndotsGiven({ expected, ndotsMin, ndotsMax }: SearchKnowledge): number | null {
  return expected !== null && expected.ndots === ndotsMin && ndotsMin === ndotsMax ? ndotsMin : null
}

/** What the user's files say makes certain what was learned, unless walks contradict it. */
export function holdAgainst(
  knowledge: SearchKnowledge,
  learned: readonly string[],
  ndots: Ndots,
  expected: Expected,
  nodeDomains: readonly string[] | null,
): void {
  const { complete } = knowledge
  // Where the name as it is follows the last domain that was seen, nodes add no more.
  let list: readonly string[] | null = agreed(learned, expected.list, complete ? [] : nodeDomains)
  if (list !== null && complete && learned.at(-1) !== list.at(-1)) list = null
  // A resolv.conf is one pod's: a client with another ndots has another one.
  if (expected.isOfAnother && expected.ndots !== null && !allows(ndots, expected.ndots)) list = null
  knowledge.expected = expected
  knowledge.contradicted = list === null
  setList(knowledge, list ?? learned)
  setBounds(knowledge, ndots)
}

/** At one of two CoreDNS pods every second candidate is seen; of so many steps one would have led to a domain that is there. */
const MANY_STEPS = 8

/**
 * A pod that never walked to the end shows a part of its list; the pods of one cluster share its tail (cluster domain and the node's
 * own domains), so the part is completed with what the others have behind it (I5).
 */
export function shareTail(lists: readonly SearchKnowledge[], tail: readonly string[]): void {
  if (tail.length === 0) return
  for (const knowledge of lists) {
    if (knowledge.list.length === 0 || (knowledge.expected && !knowledge.contradicted)) continue
    const [first, ...others] = knowledge.list
    const hasEnd = namespaceOf(first) !== null && others.length < tail.length && others.at(-1) === tail.at(-1)
    if (hasEnd && isPartOf(others, tail) && skips(knowledge, tail) < MANY_STEPS) {
      // Both ends and some between: the rest of its walks went where the capture does not look (another CoreDNS pod).
      setList(knowledge, [first, ...tail])
    }
    if (knowledge.complete) continue
    const last = knowledge.list.at(-1) as string
    const at = tail.indexOf(last)
    const isNamespace = namespaceOf(last) !== null && tail[0] === `svc.${namespaceOf(last)?.zone}`
    const rest = at >= 0 ? tail.slice(at + 1) : isNamespace ? tail : []
    if (rest.length === 0 || rest.some(suffix => knowledge.list.includes(suffix))) continue
    setList(knowledge, [...knowledge.list, ...rest])
  }
}

/** What most lists have behind the pod's own namespace. */
export function commonTail(all: readonly SearchKnowledge[]): readonly string[] {
  const tails = new Map<string, { list: readonly string[]; count: number }>()
  for (const { list } of all) {
    if (list.length < 2) continue
    const tail = namespaceOf(list[0]) ? list.slice(1) : list
    const key = tail.join(' ')
    const known = tails.get(key)
    if (known) known.count++
    else tails.set(key, { list: tail, count: 1 })
  }
  const best = [...tails.values()].sort((a, b) => b.list.length * b.count - a.list.length * a.count)[0]
  return best?.list ?? []
}

/** How often a step was seen that leaves out what stands in `tail` between its two domains: the most frequent one. */
function skips({ list, steps }: SearchKnowledge, tail: readonly string[]): number {
  let most = 0
  for (let i = 0; i + 1 < list.length; i++)
    if (tail.indexOf(list[i + 1]) > tail.indexOf(list[i]) + 1) most = Math.max(most, steps[i] ?? 0)
  return most
}

/** True if all of `part` stand in `whole` in the same order. */
function isPartOf(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0
  for (const item of whole) if (item === part[at]) at++
  return at === part.length
}

/** With the domains of these lists. */
export function withSuffixes(suffixes: readonly string[], lists: readonly SearchKnowledge[]): readonly string[] {
  const all = new Set(suffixes)
  for (const { list } of lists) for (const suffix of list) all.add(suffix)
  return all.size === suffixes.length ? suffixes : [...all]
}
