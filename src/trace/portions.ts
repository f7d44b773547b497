/**
 * Servers that get a portion of their clients' queries, where the others were not captured: one CoreDNS pod of several, over which a
 * service's address spreads what a pod asks, by its source port. Walks have holes there: candidates that this resolver cannot have left
 * out, or one family of some. What is missing is not known, so such a lookup says only what its queries and answers prove.
 *
 * Each client is judged by its own walks: one on the capturing node shows all that it asks, others what reaches this server; and one whose
 * walks all miss the same has a search list that looks like that.
 */
import { A, AAAA } from '../codes.ts'
import { type AddressId, NONE, type Time } from '../model.ts'
import { type Candidate, type Lookup, transactionsOf } from './lookup.ts'
import type { Resolver } from './resolvers.ts'
import type { SearchKnowledge } from './search-knowledge.ts'
import { dots } from './suffix.ts'
import { ANSWERED, isFinal, type Transaction } from './transaction.ts'

/**
 * So many walks must be looked at, and such a share of them miss a candidate between two others, which nothing else explains; or so many
 * miss any: losses on the way to the capture, and programs that end, take the first or the last ones.
 */
const ENOUGH_WALKS = 10
/** A client that showed so many is judged by itself, where so many of them, at least, have such a hole. */
const ENOUGH_OF_CLIENT = 8
const ENOUGH_BETWEEN = 2
/** Where most clients of a server are torn, one is whole that showed so many walks, of which no more have holes than what is lost anywhere. */
const SURELY_WHOLE = 8
const ENOUGH_ACROSS = 2
const FEW_SHARE = 0.02
/** It is judged anew whether most are when there are so many more walks. */
const JUDGE_ANEW = 1.05
/** Clients that are kept apart, of all servers; what walks are like, of one. */
const MOST_CLIENTS = 20_000
const MOST_SHAPES = 16
/** Torn walks that look alike: such a part of them is no accident. */
const ALIKE_SHARE = 0.8
const BETWEEN_SHARE = 0.05
const TORN_SHARE = 0.5
/** The part that it takes of fewer walks than this: what was lost on the way to the capture makes holes, too. */
const MANY_WALKS = 100
const FEW_BETWEEN_SHARE = 0.2
/** Candidates at a server that were asked for both families: from this part on, one family alone is a hole. */
const BOTH_SHARE = 0.5
/** A walk that had no more time to go on. */
const TIME_TO_GO_ON: Time = 5.5e9
/** A walk that took longer may have lost a query, or an answer, and waited: it shows nothing. */
const LONGEST_PLAIN: Time = 0.2e9

/** A pod whose processor time is used up goes on after this, at the latest. */
const LONGEST_PAUSE: Time = 0.1e9

/** Walks of which it is plain how they must go; those with holes; of these, those with a hole between two candidates. */
interface WalkCounts {
  walks: number
  torn: number
  between: number
}

interface ClientPortion extends WalkCounts {
  client: AddressId
  /** Lookups of which this server and another one got a part: where that shows, the client's end was captured. */
  across: number
  /** How often its torn walks had which places, as one number; null while none was. */
  shapes: Map<number, number> | null
}

/** What one server showed. */
interface Portion extends WalkCounts {
  /** Candidates that were asked for addresses, and those for both families. */
  candidates: number
  both: number
  clients: Map<AddressId, ClientPortion>
  /** Whether most of its clients are torn, and at how many walks that was found. */
  mostAre: boolean
  judgedAt: number
}

export class Portions {
  private readonly servers = new Map<AddressId, Portion>()
  private clients = 0

  /** Looks at a lookup that is closed and named; `now`: how far the capture has come. */
  observe(lookup: Lookup, resolver: Resolver, knowledge: SearchKnowledge, now: Time): void {
    if (isAtClientsEnd(lookup)) return
    const server = serverOf(lookup)
    if (server === NONE) {
      this.noteAcross(lookup)
      return
    }
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
    // Where threads ask the same at once, what one seems to miss another has too much.
    if (lookup.crowded || (resolver.caches && resolver.name !== '')) return
    if (lookup.latest - lookup.start > LONGEST_PLAIN) return
    const places = placesOf(lookup, knowledge)
    if (places === null || knowledge.list.length < 2 || !transactionsOf(lookup).every(isPlain)) return
    // One candidate alone may be a full name, unless it is denied: then another must follow.
    const isDenied = lookup.outcomes[places.length - 1] === 'nxdomain'
    if (places.length === 1 && (lookup.suffixes[0] === null || !isDenied)) return
    const hasEnd = !isDenied || isAtEnd(places, knowledge) || now - lookup.latest < TIME_TO_GO_ON
    const isTorn = !isInOrder(places, knowledge) || !hasEnd || (one > 0 && both > 0)
    const isBetween = hasGap(places, knowledge)
    const own = this.ofClient(portion, lookup.client)
    for (const counts of own === null ? [portion] : [portion, own]) {
      counts.walks++
      if (isTorn) counts.torn++
      if (isBetween) counts.between++
    }
    if (own !== null && (isTorn || isBetween)) noteShape(own, places)
  }

  /** True if what a client asks elsewhere may be missing of what it asked this server. */
  private isTorn(portion: Portion, client: AddressId): boolean {
    const own = portion.clients.get(client)
    if (own !== undefined && own.walks >= ENOUGH_OF_CLIENT && isClientTorn(own)) return true
    if (own !== undefined && own.across >= ENOUGH_ACROSS) return false
    return (
      areMostTorn(portion) && !(own !== undefined && own.walks >= SURELY_WHOLE && own.torn <= FEW_SHARE * own.walks)
    )
  }

  /** True if all of the lookup went to one server that gets a portion only of what its client asks. */
  mayBeTorn(lookup: Lookup): boolean {
    const server = isAtClientsEnd(lookup) ? NONE : serverOf(lookup)
    const portion = server === NONE ? undefined : this.servers.get(server)
    return portion !== undefined && portion.torn > 0 && this.isTorn(portion, lookup.client)
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
    if (asIsMayBeFirst || !isInOrder(places, knowledge) || hasPause(lookup, LONGEST_PAUSE + knowledge.lag)) return true
    return !(last === 'answered' || isAtEnd(places, knowledge) || (last === 'nodata' && resolver.stopsAtNodata))
  }

  /** Every server that gets a portion only of what some of its clients ask: these, all, and the walks of these of which it is plain how they must go. */
  get torn(): Torn[] {
    return [...this.servers].flatMap(([server, portion]) => {
      const torn = [...portion.clients.values()].filter(({ client }) => this.isTorn(portion, client))
      if (torn.length === 0) return []
      const walks = torn.reduce((n, { walks }) => n + walks, 0)
      const holes = torn.reduce((n, { torn }) => n + torn, 0)
      return [{ server, clients: torn.map(({ client }) => client), of: portion.clients.size, walks, torn: holes }]
    })
  }

  private noteAcross(lookup: Lookup): void {
    const all = transactionsOf(lookup)
    const [{ server }] = all
    const other = all.find(t => t.server !== server) as Transaction
    for (const one of [server, other.server]) {
      const own = this.ofClient(this.of(one), lookup.client)
      if (own !== null) own.across++
    }
  }

  private ofClient(portion: Portion, client: AddressId): ClientPortion | null {
    const known = portion.clients.get(client)
    if (known !== undefined || this.clients >= MOST_CLIENTS) return known ?? null
    this.clients++
    const own = { client, across: 0, walks: 0, torn: 0, between: 0, shapes: null }
    portion.clients.set(client, own)
    return own
  }

  private of(server: AddressId): Portion {
    let portion = this.servers.get(server)
    if (!portion) {
      portion = {
        walks: 0,
        torn: 0,
        between: 0,
        candidates: 0,
        both: 0,
        clients: new Map(),
        mostAre: false,
        judgedAt: 0,
      }
      this.servers.set(server, portion)
    }
    return portion
  }
}

export interface Torn {
  server: AddressId
  clients: AddressId[]
  /** Clients of that server in all. */
  of: number
  walks: number
  torn: number
}

const hasHoles = ({ walks, torn, between }: WalkCounts): boolean =>
  between >= (walks < MANY_WALKS ? FEW_BETWEEN_SHARE : BETWEEN_SHARE) * walks || torn >= TORN_SHARE * walks

function areMostTorn(portion: Portion): boolean {
  if (portion.walks < portion.judgedAt * JUDGE_ANEW) return portion.mostAre
  portion.judgedAt = portion.walks
  let judged = 0
  let torn = 0
  for (const own of portion.clients.values()) {
    if (own.walks < ENOUGH_OF_CLIENT) continue
    judged++
    if (isClientTorn(own)) torn++
  }
  portion.mostAre = judged > 0 ? torn * 2 > judged : portion.walks >= ENOUGH_WALKS && hasHoles(portion)
  return portion.mostAre
}

/** Its walks have holes, now here, now there. */
function isClientTorn(own: ClientPortion): boolean {
  if (own.between < ENOUGH_BETWEEN ? own.torn < TORN_SHARE * own.walks : !hasHoles(own)) return false
  const shapes = [...(own.shapes?.values() ?? [])]
  const all = shapes.reduce((n, times) => n + times, 0)
  return shapes.length > 0 && (all < ENOUGH_OF_CLIENT || Math.max(...shapes) < ALIKE_SHARE * all)
}

function noteShape(own: ClientPortion, places: readonly number[]): void {
  own.shapes ??= new Map()
  let shape = 0
  for (const place of places) shape = shape * 32 + place + 1
  const times = own.shapes.get(shape)
  if (times !== undefined || own.shapes.size < MOST_SHAPES) own.shapes.set(shape, (times ?? 0) + 1)
}

/** Where the capture shows the address that the client asked, before it was translated, it shows all that the client asks. */
const isAtClientsEnd = (lookup: Lookup): boolean => transactionsOf(lookup).every(t => t.asked !== t.server)

/** The one server of all its transactions; NONE where there are several. */
function serverOf(lookup: Lookup): AddressId {
  const all = transactionsOf(lookup)
  const { server } = all[0]
  for (const t of all) if (t.server !== server) return NONE
  return server
}

/** Answered, and with an answer after which every resolver's way is plain. */
const isPlain = (t: Transaction): boolean => t.state === ANSWERED && isFinal(t)

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

/** It had all its answers and went on much later, which no resolver does: these are the ends of two walks. */
function hasPause({ candidates }: Lookup, longest: Time): boolean {
  for (let i = 1; i < candidates.length; i++) {
    const before = candidates[i - 1].transactions
    if (!before.every(isPlain)) continue
    let end = 0
    for (const t of before) end = Math.max(end, t.end)
    if (candidates[i].transactions[0].start - end > longest) return true
  }
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
