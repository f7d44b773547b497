/** How a query fits a transaction that is known: as a sighting of its query elsewhere, as a retransmission, or not at all. */
import { type Messages, NONE, TCP, type Time } from '../model.ts'
import { isOneCrossing, SIGHTING_WINDOW } from './crossing.ts'
import { asksTheSame, mayAskTheSame } from './pairing.ts'
import { ANSWERED, isFinal, OPEN, type Transaction } from './transaction.ts'

export const NO_MATCH = 0
export const RETRANSMISSION = 1
export const SIGHTING_OTHER_SERVER = 2
export const SIGHTING = 4
/** Another copy of what is answered. */
export const DOUBLE = 5

/** Shorter than any timer. */
const DOUBLED: Time = 0.2e9

/** How well query i fits a transaction with the same client address, port and id; higher is better. `hidesInterface`: see matching.ts. */
export function queryFit(
  t: Transaction,
  m: Messages,
  i: number,
  time: Time,
  vantage: number,
  hidesInterface: boolean,
): number {
  if (t.withoutQuery || !mayAskTheSame(t, m, i) || t.transport !== m.transport[i]) return NO_MATCH
  const server = m.to[i]
  const sameServer = t.isServer(server)
  const gap = time - t.lastQuery
  const ipId = m.ipId[i]
  const sameIpId = ipId > 0 && ipId === t.ipId
  const withoutId = m.dnsId[i] === NONE
  // One flow log holds the reports of many nodes, each with its own clock.
  if (isOneCrossing(gap, m.file[i] === t.file && !withoutId, sameIpId)) {
    if (!t.querySeenAt(vantage)) {
      if (sameServer) return SIGHTING
      // The client asks another server under the same id and port: DNAT, or musl which asks all its servers at once.
      if (t.asked === t.server && !(ipId > 0 && t.ipId > 0 && !sameIpId))
        return sameIpId ? SIGHTING_OTHER_SERVER + 1 : SIGHTING_OTHER_SERVER
      return NO_MATCH
    }
    if (sameIpId && t.state === OPEN && sameServer) return SIGHTING
    if (hidesInterface && gap < SIGHTING_WINDOW && (sameIpId || m.ttl[i] !== t.serverTtl))
      return sameServer ? SIGHTING : t.asked === t.server ? SIGHTING_OTHER_SERVER : NO_MATCH
  }
  // L7: the network doubled it, and the server had answered the first by then. Resolvers ask again after a timer, or an error.
  if (sameServer && t.state === ANSWERED && isFinal(t) && !withoutId && Math.abs(gap) < DOUBLED && asksTheSame(t, m, i))
    return DOUBLE
  // Without ids, a second such question on a TCP connection is another query: TCP itself repeats what is lost.
  if (withoutId && t.transport === TCP) return NO_MATCH
  return sameServer && t.state === OPEN && asksTheSame(t, m, i) ? RETRANSMISSION : NO_MATCH
}
