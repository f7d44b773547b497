/**
 * Servers that get a portion of their clients' queries, where the others were not captured: one CoreDNS pod of several, over which a
 * service's address spreads what a pod asks, by its source port. Walks have holes there: candidates that this resolver cannot have left
 * out, or one family of some. What is missing is not known, so such a lookup says only what its queries and answers prove.
 */
import { A, AAAA, NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, NONE, type Time } from '../model.ts'
import { type Candidate, type Lookup, transactionsOf } from './lookup.ts'
import type { Resolver } from './resolvers.ts'
import type { SearchKnowledge } from './search-knowledge.ts'
import { dots } from './suffix.ts'
import { ANSWERED, type Transaction } from './transaction.ts'

/**
 * So many walks must be looked at, and such a share of them miss a candidate between two others, which nothing else explains; or so many
 * miss any: losses on the way to the capture, and programs that end, take the first or the last ones.
 */
const ENOUGH_WALKS = 10
const BETWEEN_SHARE = 0.05
const TORN_SHARE = 0.5
/** Of the candidates at a server, so many that were asked for both families make one family alone a hole. */
const BOTH_SHARE = 0.5
/** A walk that had no more time to go on. */
const TIME_TO_GO_ON: Time = 2e9

/** What one server showed. */
interface Portion {
  /** Walks of which it is plain how they must go; those with holes; of these, those with a hole between two candidates. */
  walks: number
  torn: number
  between: number
  /** Candidates that were asked for addresses, and those for both families. */
  candidates: number
  both: number
}

export class Portions {
  private readonly servers = new Map<AddressId, Portion>()

  /** Looks at a lookup that is closed and named; `now`: how far the capture has come. */
  observe(lookup: Lookup, resolver: Resolver, knowledge: SearchKnowledge, now: Time): void {
    const server = serverOf(lookup)
    if (server === NONE) return
    const portion = this.of(server)
    let one = 0
    let both = 0
    for (const candidate of lookup.candidates) {
      const families = familiesOf(candidate)
      if (families === 1) one++
      else if (families === 2) both++
    }
    portion.candidates += one + both
    portion.both += both
    // Of threads that ask the same at once, what one seems to miss another has too much.
    if (lookup.crowded || (resolver.caches && resolver.name !== '')) return
    const places = placesOf(lookup, knowledge)
    if (places === null || knowledge.list.length < 2 || !transactionsOf(lookup).every(isPlain)) return
    // One candidate alone may be a full name, unless it is denied: then another must follow.
    const isDenied = lookup.outcomes[places.length - 1] === 'nxdomain'
    if (places.length === 1 && (lookup.suffixes[0] === null || !isDenied)) return
    portion.walks++
    const hasEnd = !isDenied || isAtEnd(places, knowledge) || now - lookup.latest < TIME_TO_GO_ON
    if (!isInOrder(places, knowledge) || !hasEnd || (one > 0 && both > 0)) portion.torn++
    if (hasGap(places, knowledge)) portion.between++
  }

  /** True if what a client asks elsewhere may be missing of what it asked this server. */
  isTorn(server: AddressId): boolean {
    const portion = this.servers.get(server)
    if (portion === undefined || portion.walks < ENOUGH_WALKS) return false
    return portion.between >= BETWEEN_SHARE * portion.walks || portion.torn >= TORN_SHARE * portion.walks
  }

  /** True if all of the lookup went to one server that gets a portion only. */
  mayBeTorn(lookup: Lookup): boolean {
    const server = serverOf(lookup)
    return server !== NONE && this.isTorn(server)
  }

  /** True if something of the lookup is missing, or nobody can tell that it is not. It may be torn. */
  isPartial(lookup: Lookup, resolver: Resolver, knowledge: SearchKnowledge): boolean {
    const { candidates, suffixes, outcomes, base } = lookup
    const families = candidates.map(familiesOf)
    // Neither addresses nor a walk: nothing belongs to it that is not there.
    if (families.every(n => n === 0) && candidates.length === 1 && suffixes[0] === null) return false
    // One port for a whole walk leads to one server.
    if (resolver.socket === 'walk' && candidates.length > 1) return false
    const portion = this.servers.get(serverOf(lookup)) as Portion
    if (portion.both >= BOTH_SHARE * portion.candidates && families.includes(1)) return true
    const places = placesOf(lookup, knowledge)
    if (places === null) return true
    const last = outcomes[outcomes.length - 1]
    if (places.length === 1) {
      // As it is, and first: what has dots enough is asked so. One with a search domain behind it may have any of several.
      const isFirst = suffixes[0] === null && dots(base) >= (knowledge.ndotsMax ?? Number.POSITIVE_INFINITY)
      return !(isFirst && last === 'answered')
    }
    // Where ndots may be smaller, the name as it is may have come first.
    const asIsMayBeFirst =
      suffixes.every(suffix => suffix !== null) && dots(base) >= Math.max(1, knowledge.ndotsMin ?? 1)
    if (asIsMayBeFirst || !isInOrder(places, knowledge)) return true
    return !(last === 'answered' || isAtEnd(places, knowledge) || (last === 'nodata' && resolver.stopsAtNodata))
  }

  /** Every server that gets a portion only, with the walks of which it is plain how they must go. */
  get torn(): { server: AddressId; walks: number; torn: number }[] {
    return [...this.servers]
      .filter(([server]) => this.isTorn(server))
      .map(([server, { walks, torn }]) => ({ server, walks, torn }))
  }

  private of(server: AddressId): Portion {
    let portion = this.servers.get(server)
    if (!portion) {
      portion = { walks: 0, torn: 0, between: 0, candidates: 0, both: 0 }
      this.servers.set(server, portion)
    }
    return portion
  }
}

/** The one server of all its transactions; NONE where there are several. */
function serverOf(lookup: Lookup): AddressId {
  const all = transactionsOf(lookup)
  const { server } = all[0]
  for (const t of all) if (t.server !== server) return NONE
  return server
}

/** Answered, and with an answer after which every resolver's way is plain. */
const isPlain = (t: Transaction): boolean => t.state === ANSWERED && (t.rcode === NOERROR || t.rcode === NXDOMAIN)

/** How many of A and AAAA a candidate was asked for. */
function familiesOf({ transactions }: Candidate): number {
  let a = 0
  let aaaa = 0
  for (const { qtype } of transactions) {
    if (qtype === A) a = 1
    else if (qtype === AAAA) aaaa = 1
  }
  return a + aaaa
}

/** Where each candidate stands in the search list, as-is behind the last; null where one stands nowhere. */
function placesOf({ suffixes }: Lookup, { position }: SearchKnowledge): number[] | null {
  const places: number[] = []
  for (const suffix of suffixes) {
    const place = position.get(suffix ?? '')
    if (place === undefined) return null
    places.push(place)
  }
  return places
}

/** A candidate is missing between two that were asked. */
function hasGap(places: readonly number[], { list }: SearchKnowledge): boolean {
  const from = places[0] === list.length ? 1 : 0
  for (let i = from + 1; i < places.length; i++) if (places[i] !== places[i - 1] + 1) return true
  return false
}

/** The list from its beginning, nothing left out; the name as it is may come first. */
function isInOrder(places: readonly number[], { list }: SearchKnowledge): boolean {
  const from = places.length > 1 && places[0] === list.length ? 1 : 0
  for (let i = from; i < places.length; i++) if (places[i] !== i - from) return false
  return true
}

/** Nothing follows the name as it is behind the list, nor the list's end behind the name. */
function isAtEnd(places: readonly number[], { list }: SearchKnowledge): boolean {
  const last = places[places.length - 1]
  if (places.length === 1) return false
  return places[0] === list.length ? last === list.length - 1 : last === list.length
}
