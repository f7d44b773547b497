/**
 * Where messages were lost (H14): for every query that got no answer, and every response that did not arrive, between which two vantage
 * points it disappeared, or inside which server, as far as the captures can tell.
 */
import type { AddressId } from '../model.ts'
import type { Endpoints } from './endpoints.ts'
import type { Places } from './places.ts'
import { ANSWERED, RESPONSE_LOST, type Transaction, UNANSWERED, UNREACHED } from './transaction.ts'

/** Files are indices of the run's captures. */
export interface Loss {
  /** Which of the queries, counted from 1. */
  try: number
  /** Null where it got past all captures, and nothing tells which of the two did not arrive, or whether the server kept silent. */
  what: 'query' | 'response' | null
  /** The last capture in which it was seen. */
  seenIn: number
  /** The next one on its way, which did not see it; null where none was taken further on. */
  notSeenIn: number | null
  /** The address of the service behind whose translation it was not seen, in the same capture; else null. */
  behind: AddressId | null
  /** The server that got the query and did nothing with it. */
  inside: AddressId | null
  /** The server that it did not reach although it came to the server's node: `seenIn` holds fewer copies of it than usual. */
  inFrontOf: AddressId | null
}

/** In order of the tries; none where everything arrived, or may still arrive. */
export function lossesOf(t: Transaction, places: Places, endpoints: Endpoints): Loss[] {
  const losses: Loss[] = []
  const tries = t.retransmissions + 1
  for (let n = 1; n <= tries; n++) {
    const isLast = n === tries
    if (isLast && (t.state === ANSWERED || t.state === UNREACHED)) break
    if (isLast && t.state !== UNANSWERED && t.state !== RESPONSE_LOST) break
    const loss = lossOf(t, n, isLast, places, endpoints)
    if (loss) losses.push(loss)
  }
  return losses
}

function lossOf(t: Transaction, n: number, isLast: boolean, places: Places, endpoints: Endpoints): Loss | null {
  const files = filesOf(t, n)
  const client = t.file
  const home = places.ofServer(t.server) ?? homeBehind(t, places, endpoints)
  const at = { try: n, behind: null, inside: null, inFrontOf: null }
  if (isLast && t.state === RESPONSE_LOST) {
    // Back on the way that the query came.
    const notSeenIn = files.queries.findLast(file => !files.responses.includes(file)) ?? client
    return { ...at, what: 'response', seenIn: files.responses.at(-1) ?? home ?? client, notSeenIn }
  }
  if (home !== null && !files.queries.includes(home)) {
    const seen = files.queries.findLast(file => file !== client) ?? client
    const path = (places.between(client, home) ?? [client, home]).filter(file => places.mayHold(file, t))
    const last = path.findLastIndex(file => files.queries.includes(file))
    return { ...at, what: 'query', seenIn: path[last] ?? seen, notSeenIn: path[last + 1] ?? home }
  }
  const translated = n === 1 ? t.firstTranslated : t.translated
  const isTranslated = t.asked !== t.server || endpoints.serverRole(t.server).role !== 'node-local-cache'
  if (home === client && !translated && isTranslated && endpoints.serversBehind(t.asked).length > 0)
    return { ...at, what: 'query', seenIn: client, notSeenIn: null, behind: t.asked }
  if (home === null) return { ...at, what: null, seenIn: files.queries.at(-1) ?? client, notSeenIn: null }
  // The server has it. While it waits for another itself nothing is lost here.
  const from = n === 1 ? t.start : (t.resent?.[n - 2] ?? t.lastQuery)
  const until = n === tries(t) ? Number.POSITIVE_INFINITY : (t.resent?.[n - 1] ?? Number.POSITIVE_INFINITY)
  if (t.effects?.some(effect => effect.start < until && !(effect.end < from))) return null
  const usual = places.usualCopies(t)
  const arrived = usual === null || files.queries.length >= usual
  const where = arrived ? { inside: t.server } : { inFrontOf: t.server }
  return { ...at, what: 'query', seenIn: home, notSeenIn: null, ...where }
}

const tries = (t: Transaction): number => t.retransmissions + 1

/** The captures that saw one try's query, and the response, each in the order in which they did. */
function filesOf(t: Transaction, n: number): { queries: number[]; responses: number[] } {
  const { frames } = t
  const from = n === 1 ? 0 : (t.triesAt?.[n - 2] ?? 0)
  const answer = t.responseFrom < 0 ? frames.length : t.responseFrom
  const until = Math.min(t.triesAt?.[n - 1] ?? frames.length, answer)
  const queries: number[] = []
  const responses: number[] = []
  for (let i = from; i < until; i += 2) queries.push(frames[i])
  for (let i = answer; i < frames.length; i += 2) responses.push(frames[i])
  return { queries, responses }
}

/** Where the servers behind a service are, if all are in one capture: of a query that was lost on its way nobody knows to which it went. */
function homeBehind(t: Transaction, places: Places, endpoints: Endpoints): number | null {
  const homes = endpoints.serversBehind(t.asked).map(server => places.ofServer(server))
  return homes.length > 0 && homes.every(home => home === homes[0]) ? homes[0] : null
}
