/**
 * How a walk that was seen is to be read before it is walked again: by which resolver, over which list, with which ndots, and whether
 * the configuration had any part in it. Where the wire leaves two readings open, what other clients do decides, and it is counted.
 */
import { type AddressId, NONE } from '../model.ts'
import type { Seen } from './replay.ts'
import { type Resolver, resolverNamed } from './resolvers.ts'
import { ndotsGiven, type SearchKnowledge } from './search-knowledge.ts'
import { dots, withoutSuffix } from './suffix.ts'
import { AS_IS, candidateOrder, ONLY_AS_IS } from './walk.ts'
import { ASKED_A, ASKED_AAAA, type Walk } from './walks.ts'

/** What the capture leaves open about a walk. */
export type Doubt =
  /** A hit at the first search domain, or the full name: one candidate either way. */
  | 'short or full'
  /** Asked as it is because it has dots enough, or because it ends with one. */
  | 'dot at the end'
  /** No row of resolvers.ts fits any lookup of this client. */
  | 'resolver'
  /** The client's search list, or its ndots, did not show. */
  | 'list'
  /** Only the form of the walk was kept. */
  | 'name'

export interface Reading {
  walk: Walk
  resolver: Resolver
  /** Null where only the form is known. */
  base: string | null
  dots: number
  list: readonly string[]
  /** As it seems to be now; null where unknown. */
  ndots: number | null
  /** The configuration has no part in it: a name with a dot at its end, or a program that does not search. */
  fixed: boolean
  /** Index of the walk's candidate for each domain of the list, and behind them for the as-is name; -1 where it was not asked for. */
  asked: number[]
  /** The candidates as the configuration that was seen would have them tried, as positions in the list. */
  order: readonly number[]
  doubts: Doubt[]
  /** Where it is short or full: the dots of the other reading. */
  otherDots: number
}

export function readingsOf(seen: Seen): Reading[] {
  const walks = seen.walks.list
  const usual = usualResolvers(walks)
  const searching = new Set(
    walks.filter(walk => walk.suffixes[0] !== null || walk.suffixes.length > 1).map(({ who }) => who),
  )
  const ndots = new NdotsVotes(walks)
  return walks.map(walk => {
    const searches = searching.has(walk.who)
    return readingOf(walk, seen, ndots, usual.get(walk.client) ?? null, searches)
  })
}

/** The resolver of most lookups of each client that show theirs: what a lookup of one family alone does not tell. */
function usualResolvers(walks: readonly Walk[]): Map<AddressId, Resolver> {
  const counts = new Map<AddressId, Map<string, number>>()
  for (const { client, resolver, lookups } of walks) {
    if (resolver === null || TOOLS.has(resolver)) continue
    const ofClient = counts.get(client) ?? new Map<string, number>()
    counts.set(client, ofClient)
    ofClient.set(resolver, (ofClient.get(resolver) ?? 0) + lookups)
  }
  return new Map(
    [...counts].map(([client, ofClient]) => {
      const [name] = [...ofClient].reduce((a, b) => (b[1] > a[1] ? b : a))
      return [client, resolverNamed(name)]
    }),
  )
}

/** Run by hand beside the application. */
const TOOLS: ReadonlySet<string> = new Set(['dig', 'host', 'nslookup', 'busybox'])
/** Their libraries have a way to ask for a name without its search list (Node's dns.resolve, dig without +search). */
const MAY_NOT_SEARCH: ReadonlySet<string> = new Set(['dig', 'c-ares', 'netty'])
const GLIBC = resolverNamed('glibc')

function readingOf(walk: Walk, seen: Seen, votes: NdotsVotes, usual: Resolver | null, searches: boolean): Reading {
  const knowledge = seen.searchLists.of(walk.client, walk.asked)
  const list = listOf(walk, knowledge)
  const ndots = ndotsOf(walk, ndotsGiven(knowledge) ?? votes.of(walk))
  const doubts: Doubt[] = []
  const own = walk.resolver === null ? null : resolverNamed(walk.resolver)
  const resolver = own ?? usual ?? GLIBC
  if (own === null && usual === null) doubts.push('resolver')
  if (walk.base === null) doubts.push('name')
  let { base, dots: count } = walk
  let suffixes = walk.suffixes
  let otherDots = count
  const full = walk.length === 1 && walk.nameAt(0) !== NONE ? seen.names.text(walk.nameAt(0)) : ''
  // What is known of the list at the end may show that an early name has two readings, too.
  if (full !== '' && (!walk.certain || (list.length > 0 && full.endsWith(`.${list[0]}`)))) {
    // Asked without a dot at its end, a full name of so few dots would have been searched first.
    const couldBeFull = ndots === null || dots(full) >= ndots
    if (couldBeFull) doubts.push('short or full')
    if (couldBeFull && isAskedInFull(walk, seen)) {
      base = full
      suffixes = [null]
    } else if (suffixes[0] === null && list.length > 0 && full.endsWith(`.${list[0]}`)) {
      base = withoutSuffix(full, list[0])
      suffixes = [list[0]]
    }
    count = dots(base as string)
    otherDots = base === full ? dots(walk.base as string) : dots(full)
  }
  const asked: number[] = []
  for (const suffix of list) asked.push(suffixes.lastIndexOf(suffix))
  asked.push(suffixes.lastIndexOf(null))
  const isAsIs = suffixes.length === 1 && suffixes[0] === null
  const fixed =
    isAsIs && isFixed(walk, resolver, searches || !MAY_NOT_SEARCH.has(resolver.name) ? list : [], ndots, count)
  if (isAsIs && !fixed && list.length > 0) doubts.push('dot at the end')
  if (list.length === 0 && isAsIs && isAddressLookup(walk)) doubts.push('list')
  const order = fixed
    ? ONLY_AS_IS
    : ndots === null
      ? suffixes.map(suffix => (suffix === null ? AS_IS : list.indexOf(suffix)))
      : candidateOrder(resolver, count, list.length, ndots)
  return { walk, resolver, base, dots: count, list, ndots, fixed, asked, order, doubts, otherDots }
}

/** The client's list; the walk's own domains where it does not hold them all. */
function listOf({ suffixes, list: own }: Walk, { list }: SearchKnowledge): readonly string[] {
  const holdsAll = (domains: readonly string[]): boolean =>
    suffixes.every(suffix => suffix === null || domains.includes(suffix))
  if (holdsAll(list)) return list
  return holdsAll(own) ? own : [...new Set([...suffixes.filter(suffix => suffix !== null), ...own])]
}

/** The client's ndots, or what this walk alone shows where it contradicts it. */
function ndotsOf({ suffixes, certain, dots }: Walk, usual: number | null): number | null {
  if (suffixes[0] !== null && certain) return Math.max(usual ?? 0, dots + 1)
  const asIsFirst = suffixes.length > 1 && suffixes[0] === null
  return asIsFirst ? Math.min(usual ?? dots, dots) : usual
}

/** Higher is not worth a guess: no name has so many dots and is searched. */
const MOST_NDOTS = 15
/** A name that is asked as it is may end with a dot; a walk is proof. */
const SINGLE = 0.1

/** The ndots of each client, by what its walks show, so that one walk that was put together wrongly does not decide. */
class NdotsVotes {
  private readonly byClient = new Map<number, { searched: number[]; asIs: number[] }>()

  constructor(walks: readonly Walk[]) {
    for (const walk of walks) {
      const { suffixes, certain, lookups, dots, client, asked: server } = walk
      if (!certain || !isAddressLookup(walk) || dots > MOST_NDOTS) continue
      const key = client * 0x20_0000 + server
      const votes = this.byClient.get(key) ?? { searched: [], asIs: [] }
      this.byClient.set(key, votes)
      const { searched, asIs } = votes
      if (suffixes[0] !== null) searched[dots] = (searched[dots] ?? 0) + lookups
      else asIs[dots] = (asIs[dots] ?? 0) + lookups * (suffixes.length > 1 ? 1 : SINGLE)
    }
  }

  /** The smallest number that the fewest lookups contradict; null where no walk tells. */
  of({ client, asked }: Walk): number | null {
    const votes = this.byClient.get(client * 0x20_0000 + asked)
    if (!votes) return null
    const { searched, asIs } = votes
    if (searched.length === 0) {
      const first = asIs.findIndex(n => n >= 1)
      return first < 0 ? null : first
    }
    const sum = (list: number[], from: number, to: number): number => {
      let n = 0
      for (let i = from; i < Math.min(to, list.length); i++) n += list[i] ?? 0
      return n
    }
    let best = 0
    let least = Number.POSITIVE_INFINITY
    for (let ndots = 0; ndots <= MOST_NDOTS + 1; ndots++) {
      const against = sum(searched, ndots, searched.length) + sum(asIs, 0, ndots)
      if (against >= least) continue
      least = against
      best = ndots
    }
    return best
  }
}

/** Others ask for the same name in full more often than they let a search domain complete it. */
function isAskedInFull(walk: Walk, { walks }: Seen): boolean {
  const known = walks.names.byId.get(walk.nameAt(0))
  return known !== undefined && known.asIs > known.searched
}

/** A single as-is query that no ndots and no list would have changed. */
function isFixed(
  walk: Walk,
  resolver: Resolver,
  list: readonly string[],
  ndots: number | null,
  dotsOfName: number,
): boolean {
  // Reverse and other lookups go by res_query, which does not search.
  if (!isAddressLookup(walk) || list.length === 0) return true
  if (resolver.afterEnoughDots === 'any dot') return true
  if (ndots === null) return false
  // With fewer dots it would have been searched first; glibc and its like go on to the list when the name is denied.
  if (dotsOfName < ndots) return true
  return resolver.afterEnoughDots === 'list' && walk.outcome === 'nxdomain'
}

const isAddressLookup = ({ types }: Walk): boolean => (types & (ASKED_A | ASKED_AAAA)) !== 0
